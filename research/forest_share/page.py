"""Figures for the JSON, and the tables of the page."""

from benchmarks import pages
from benchmarks.harness import Figure
from benchmarks.pages import Column, words
from research.forest_share.costs import CANDIDATES
from research.forest_share.measuring import ALL, COLD, WARM, WARM_FROM, ForestShareResults, Measured
from research.forest_share.variants import WHOLE, Variant
from research.intervals import SeedEstimate
from research.online.arms import CONTROL


def title(feed: str) -> str:
    """The page's title."""
    return f"How much of the forest can go: {'the built-in feed' if feed == 'feed' else feed}"


def figures(results: ForestShareResults) -> list[Figure]:
    """Every variant compared with all trees and the features alone."""
    made = []
    for variant in results.variants:
        if variant == WHOLE:
            continue
        name = f"{results.feed}.trees_{variant.share:g}.{variant.inputs}"
        ours, whole = (results.measured[ALL][one] for one in (variant, WHOLE))
        for metric, title_of in (("normalized_entropy", "mean normalized entropy"), ("gauc", "mean GAUC")):
            own, other = getattr(ours, metric), getattr(whole, metric)
            if own and other:
                note = f"{title_of}, minus that of the whole forest without ids and histories: {_change(own - other)}"
                made.append(Figure(f"{name}.{metric}", own.value, other.value, "", note=note))
        share, of_whole = ours.share_of_possible_gain, whole.share_of_possible_gain
        if share and of_whole:
            note = f"minus that of the whole forest without ids and histories: {_change(share - of_whole)}"
            made.append(Figure(f"{name}.share_of_possible_gain", share.value, of_whole.value, "", note=note))
        cost, of_all = results.costs[variant], results.costs[WHOLE]
        made.append(Figure(f"{name}.bytes", cost.size, of_all.size, "bytes"))
        made.append(Figure(f"{name}.session", cost.milliseconds, of_all.milliseconds, "ms"))
    return made


def markdown(results: ForestShareResults, command: str, picture: str | None = None) -> str:
    """A table of quality and cost, and one of each group of viewers.

    Args:
        results: of a feed.
        command: the command of the run.
        picture: its file name, in the page's folder.
    """
    each = "each with a feed of its own: " if results.is_simulated else ""
    blocks = [
        pages.origin(command),
        f"{pages.counted(len(results.samples), 'seed')}, {each}{pages.count(results.trained_on)} impressions to train "
        f"on, {pages.count(results.rows(ALL))} held out in all. Metrics are means over the objectives. In brackets: "
        f"minus {_WHOLE_IN_WORDS}, with its 95 % interval over viewers and seeds.",
    ]
    if picture:
        blocks.append(pages.picture("Normalized entropy and online gain by the number of trees", picture))
    blocks += [pages.heading("Quality"), pages.table(_columns(results, ALL), results.variants)]
    blocks += [
        pages.heading("Cost"),
        f"The first seed's models. Trees are those after early stopping. A session has {CANDIDATES} candidates, and is "
        f"scored by `score_features` in one process; the models take turns. Ratios are to {_WHOLE_IN_WORDS}.",
        pages.table(_cost_columns(results), results.variants),
    ]
    for group, rows in ((WARM, f"at least {WARM_FROM}"), (COLD, f"fewer than {WARM_FROM}")):
        blocks += [
            pages.heading(f"{group.capitalize()} viewers"),
            f"Those with {rows} impressions in the training days: {pages.count(results.rows(group))} held-out "
            "impressions.",
            pages.table(_columns(results, group), results.variants),
        ]
    return pages.join(blocks)


_WHOLE_IN_WORDS = "the value of the first line, all trees without ids and histories"


def _columns(results: ForestShareResults, group: str) -> list[Column[Variant]]:
    measured = results.measured[group]

    def metric(heading: str, name: str, digits: int, factor: float = 1.0) -> Column[Variant]:
        def cell(variant: Variant) -> str:
            own, whole = _metric(measured[variant], name), _metric(measured[WHOLE], name)
            if own is None or whole is None:
                return pages.NONE
            value = pages.decimal(factor * own.value, digits)
            if variant == WHOLE:
                return value
            difference = own - whole
            low, high = (factor * end for end in difference.interval)
            return f"{value} [{pages.with_interval(factor * difference.value, (low, high), digits, signed=True)}]"

        return Column(heading, cell)

    found = [*_names(), metric("normalized entropy", "normalized_entropy", 4), metric("GAUC", "gauc", 4)]
    if results.is_simulated:
        found.append(metric(f"gain over the {CONTROL}, % of the possible one", "share_of_possible_gain", 1, 100))
    return found


def _cost_columns(results: ForestShareResults) -> list[Column[Variant]]:
    whole = results.costs[WHOLE]
    return [
        *_names(),
        Column("trees grown", lambda variant: pages.count(results.costs[variant].trees)),
        Column("MB", lambda variant: pages.decimal(results.costs[variant].size / 1e6, 2)),
        Column("ratio", lambda variant: pages.decimal(results.costs[variant].size / whole.size, 2)),
        Column("ms of a session", lambda variant: pages.decimal(results.costs[variant].milliseconds, 1)),
        Column("ratio", lambda variant: pages.decimal(results.costs[variant].milliseconds / whole.milliseconds, 2)),
    ]


def _names() -> list[Column[Variant]]:
    return [words("trees", lambda variant: variant.trees), words("beside features", lambda variant: variant.inputs)]


def _metric(measured: Measured, name: str) -> SeedEstimate | None:
    found: SeedEstimate | None = getattr(measured, name)
    return found


def _change(difference: SeedEstimate) -> str:
    return pages.with_interval(difference.value, difference.interval, 4, signed=True)
