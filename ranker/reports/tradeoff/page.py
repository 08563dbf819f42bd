"""The page of an experiment."""

from ranker.reports.html import environment
from ranker.reports.tradeoff import figures, tables
from ranker.tradeoff.experiment import Experiment
from ranker.tradeoff.offline import MODEL_WARNING


def tradeoff_page(experiment: Experiment) -> str:
    """One self-contained HTML document.

    Args:
        experiment: with its recorded days; there may be none yet.
    """
    offline = experiment.offline
    shipped = experiment.shipped()
    settings = {cohort: found and experiment.space.setting(found.point) for cohort, found in shipped.items()}
    page: str = (
        environment()
        .get_template("tradeoff.html.j2")
        .render(
            name=experiment.config.name,
            experiment=experiment.name,
            sentence=_sentence(experiment),
            decided=any(settings.values()),
            goal=" + ".join(f"{weight:g} {name}" for name, weight in experiment.tradeoff.maximize.items()),
            guardrails=[repr(guardrail) for guardrail in experiment.tradeoff.guardrails],
            parameters=list(experiment.tradeoff.search.parameters),
            current=str(experiment.space.current),
            warning=MODEL_WARNING if offline is not None and offline.method == "model" else "",
            days=[day.day for day in experiment.days],
            front=figures.front(experiment),
            changes=[figures.changes_of(experiment, index) for index in range(len(experiment.metrics.all))],
            decisions=tables.decisions_table(experiment),
            beliefs=tables.beliefs_table(experiment),
            results=tables.results_table(experiment),
            shipping=settings[None],
        )
    )
    return page


def _sentence(experiment: Experiment) -> str:
    """The decision for all viewers, or how many cohorts have one."""
    shipped = experiment.shipped()
    confidence = tables.percentage(experiment.tradeoff.confidence)
    if not len(experiment.measurements):
        return "Nothing is measured yet."
    if experiment.cohorts:
        decided = sum(found is not None for found in shipped.values())
        return f"{decided} of {len(shipped)} groups of viewers have a better setting."
    found = shipped[None]
    if found is None:
        return f"No setting is better than arm 0 at a confidence of {confidence}."
    return f"Ship {experiment.space.setting(found.point)}: goal {tables.change(found.means[0], found.deviations[0])}."
