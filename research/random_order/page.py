"""Figures for the JSON, and the table of the page."""

from benchmarks import pages
from benchmarks.harness import Figure
from benchmarks.pages import Column, codes
from research.random_order.study import AS_SHIPPED, EXPOSURE, ORDERS, RANDOM, RandomOrderResults

LEAST_POSITIVES = 500
"""With fewer, O/E is too uncertain to be compared with the limits."""

LIMITS = {AS_SHIPPED: 0.1, EXPOSURE: 0.05}
"""Model → how far O/E may be from 1 in random order."""

_FIGURES = {AS_SHIPPED: "o_over_e", EXPOSURE: "o_over_e_with_exposure"}


def figures(results: RandomOrderResults) -> list[Figure]:
    """O/E in random order of every objective with positives, and each model's largest distance from 1."""
    made = []
    for model, limit in LIMITS.items():
        name, distances = f"random_order.{_FIGURES[model]}", []
        for index, found in enumerate(results.o_over_e(model, RANDOM)):
            positives = results.positives(RANDOM, index)
            if positives >= LEAST_POSITIVES:
                distances.append(abs(found.value - 1))
            if positives:
                note = f"{model}, {positives:,} positives: {pages.with_interval(found.value, found.interval, 3)}"
                title = f"{name}.{results.config.objective_names[index]}"
                made.append(Figure(title, positives, positives / found.value, "outcomes", note=note))
        if distances:
            note = f"{model}: the largest distance of O/E from 1, objectives with {LEAST_POSITIVES} positives or more"
            made.append(Figure(f"{name}.furthest", max(distances), 1.0, "", limit, target_is_least=False, note=note))
    return made


def markdown(results: RandomOrderResults, command: str) -> str:
    """A table of O/E by objective, model and order.

    Args:
        results: of the feeds.
        command: the command of the run.
    """
    return pages.join(
        [
            pages.origin(command),
            f"{pages.counted(len(results.seeds), 'seed')}, each with a feed of its own: "
            f"{pages.count(results.trained_on)} impressions to train on, {pages.count(results.sessions)} sessions of "
            "the next day in all. Both orders show the same candidates. O/E is the number of outcomes divided by the "
            "sum of the probabilities: the mean over the seeds, with its 95 % interval over sessions and seeds.",
            pages.table(_columns(results), range(len(results.config.objectives))),
        ]
    )


def _columns(results: RandomOrderResults) -> list[Column[int]]:
    def o_over_e(model: str, order: str) -> Column[int]:
        found = results.o_over_e(model, order)

        def cell(objective: int) -> str:
            if not results.positives(order, objective):
                return pages.NONE
            return pages.with_interval(found[objective].value, found[objective].interval, 3)

        return Column(f"order {order}: {model}", cell)

    return [
        codes("objective", lambda objective: results.config.objective_names[objective]),
        Column("positives in random order", lambda objective: pages.count(results.positives(RANDOM, objective))),
        *(o_over_e(model, order) for order in ORDERS for model in LIMITS),
    ]
