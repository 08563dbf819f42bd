"""The page of a comparison."""

from collections.abc import Mapping, Sequence

from ranker.evaluation.evaluated_slice import ObjectiveEvaluation
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.shown_numbers import shown_number
from ranker.reports.comparison.differences import Difference, objective_differences, utility_differences
from ranker.reports.html import environment
from ranker.reports.html_table import Table, TableCell, TableColumn, Tone, limited, text_cell

_METRICS = ("AUC", "GAUC", "normalized entropy", "|log O/E|")
_MEANINGS = (
    "A minus B; more is better",
    "AUC within sessions, A minus B; more is better",
    "A minus B; less is better",
    "distance of observed over expected from 1, A minus B; less is better",
)


def comparison_page(evaluation: Evaluation, day: str, models: Mapping[str, Sequence[str]]) -> str:
    """One self-contained HTML document.

    Args:
        evaluation: of model A, with model B as its baseline.
        day: the held-out day.
        models: "A" and "B" → what is known of the model, one line each.
    """
    utility = list(utility_differences(evaluation))
    found = [
        *((name, d) for name, one in evaluation.objectives.items() for d in objective_differences(one)),
        *(("", d) for d in utility),
    ]
    page: str = (
        environment()
        .get_template("comparison.html.j2")
        .render(
            day=day,
            impressions=f"{evaluation.impressions:,}",
            confidence=f"{100 * evaluation.confidence:g} %",
            sentence=_sentence(found),
            models=models,
            lacks=evaluation.baseline.lacks,
            objectives=_objectives("objectives", (("", evaluation.objectives),)),
            utility=_utility(utility),
            slices=_objectives("slices", [(one.name, one.objectives) for one in evaluation.slices]),
        )
    )
    return page


def _sentence(found: Sequence[tuple[str, Difference]]) -> str:
    """Where the models differ significantly."""
    parts = []
    for model in ("A", "B"):
        better = [f"{d.metric} of {name}" if name else d.metric for name, d in found if d.favours == model]
        if better:
            parts.append(f"{model} is significantly better in {', '.join(better)}")
    return f"{'; '.join(parts)}." if parts else "A and B do not differ significantly."


def _objectives(name: str, parts: Sequence[tuple[str, Mapping[str, ObjectiveEvaluation]]]) -> Table:
    columns = [
        *([TableColumn("slice", numeric=False)] if name == "slices" else []),
        TableColumn("objective", numeric=False),
        TableColumn("positives"),
        TableColumn("AUC of A"),
        TableColumn("AUC of B"),
        *(TableColumn(metric, meaning) for metric, meaning in zip(_METRICS, _MEANINGS, strict=True)),
    ]
    rows = []
    for part, objectives in parts:
        for objective, found in objectives.items():
            differences = objective_differences(found)
            rows.append(
                (
                    *([text_cell(part)] if name == "slices" else []),
                    text_cell(objective),
                    TableCell(f"{found.candidate.positives:,}", found.candidate.positives),
                    _value(found.candidate.auc),
                    _value(found.baseline.auc) if found.baseline is not None else TableCell("–"),
                    *(_cell(one) for one in differences or [None] * len(_METRICS)),
                )
            )
    return limited(name, columns, rows)


def _utility(differences: Sequence[Difference]) -> Table | None:
    if not differences:
        return None
    columns = (TableColumn("metric", numeric=False), TableColumn("A minus B"))
    return Table("utility", columns, tuple((text_cell(one.metric), _cell(one)) for one in differences))


def _cell(difference: Difference | None) -> TableCell:
    if difference is None or not difference.defined:
        return TableCell("–")
    tones: dict[str, Tone] = {"A": "good", "B": "bad"}
    value, lower, upper = (
        shown_number(number, "+.4f") for number in (difference.value, difference.lower, difference.upper)
    )
    return TableCell(value, difference.value, note=f"{lower} to {upper}", tone=tones.get(difference.favours, ""))


def _value(estimate: Estimate) -> TableCell:
    return TableCell(f"{estimate.value:.4f}", estimate.value) if estimate.defined else TableCell("–")
