"""The feature columns: those that tell an outcome, and how much the model owes to each."""

from collections.abc import Iterator

from ranker.evaluation.importance import OTHERS, GroupImportance
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.leakage import Leak
from ranker.reports.calibration.inputs import ReportInputs
from ranker.reports.html_table import Table, TableCell, TableColumn, Tone, limited, text_cell
from ranker.reports.text import defined, interval, number, percent


def leaks_table(inputs: ReportInputs) -> Table:
    """One row per column and objective whose outcome it tells."""
    columns = [
        TableColumn("column", numeric=False),
        TableColumn("objective", numeric=False),
        TableColumn("verdict", numeric=False),
        TableColumn("found", numeric=False),
        TableColumn("value", "with its interval below"),
        TableColumn("plausible", "the largest value that is plausible"),
    ]
    rows = []
    for leak in inputs.evaluation.leaks:
        tone: Tone = "bad" if leak.refuses else "muted" if leak.vouched else "warn"
        state = "blocks the model" if leak.refuses else "vouched for" if leak.vouched else "not new, reported only"
        rows.append(
            (
                text_cell(leak.column),
                text_cell(leak.objective),
                text_cell(state, tone),
                text_cell(_found(leak)),
                TableCell(number(leak.value), leak.value, interval(Estimate(leak.value, leak.lower, leak.upper))),
                TableCell(number(leak.limit, 2), leak.limit),
            )
        )
    return limited("leaks", columns, rows)


def gains_table(inputs: ReportInputs, name: str, most: int) -> Table:
    """At most `most` rows, one per column: its share of the forest's gain for each objective, largest first."""
    gains = inputs.evaluation.importance.gains
    columns = [
        TableColumn("column", numeric=False),
        *(TableColumn(output, f"share of the gain of the trees for {output}") for output in gains),
    ]
    by_column = {column: [of[column] for of in gains.values()] for column in next(iter(gains.values()), {})}
    ordered = sorted(by_column.items(), key=lambda item: -sum(item[1]))
    rows = [
        (text_cell(column), *(TableCell(percent(share), share, bar=min(1.0, share)) for share in shares))
        for column, shares in ordered
        if any(shares)
    ]
    return limited(name, columns, rows, most)


def groups_table(inputs: ReportInputs) -> Table:
    """One row per group of columns: what shuffling them costs each objective, the largest cost first."""
    columns = [
        TableColumn("columns", numeric=False),
        *(
            TableColumn(name, f"increase of the normalized entropy of {name}; below it the interval")
            for name in inputs.objectives
        ),
    ]
    groups = sorted(inputs.evaluation.importance.groups, key=_cost, reverse=True)
    largest = {name: max([_value(group.growth[name]) for group in groups], default=0.0) for name in inputs.objectives}
    rows = [
        (
            TableCell(group.name, group.name, _size(group)),
            *(_growth_cell(group.growth[name], largest[name]) for name in inputs.objectives),
        )
        for group in groups
    ]
    return limited("groups", columns, rows)


def notes(inputs: ReportInputs) -> Iterator[str]:
    """What a reader of the two tables should know, as sentences."""
    importance = inputs.evaluation.importance
    if importance.gains and inputs.forest_curve is None:
        yield "The gains are of the day on which the forest was trained."
    if importance.groups:
        yield (
            f"Measured on {importance.impressions:,} impressions of the held-out day. What the interval does not tell "
            "from 0 is grey. Columns that say nearly the same share their importance: without one of them, the model "
            "uses the other."
        )
    for group in importance.groups:
        if group.name == OTHERS:
            yield f"Other columns: {', '.join(group.columns)}."


def _found(leak: Leak) -> str:
    if leak.sign == "alone":
        return "AUC of the column alone"
    if leak.sign == "forest":
        return f"AUC of the forest, {percent(leak.share, 0)} of whose gain is the column's"
    return f"share where the outcome is almost certain, {percent(leak.share, 0)} of it"


def _cost(group: GroupImportance) -> float:
    return sum(_value(estimate) for estimate in group.growth.values())


def _value(estimate: Estimate) -> float:
    return defined(estimate.value) or 0.0


def _size(group: GroupImportance) -> str:
    return f"{len(group.columns)} columns" if len(group.columns) > 1 else ""


def _growth_cell(growth: Estimate, largest: float) -> TableCell:
    tone: Tone = "" if growth.defined and (growth.lower > 0.0 or growth.upper < 0.0) else "muted"
    bar = max(0.0, growth.value) / largest if growth.defined and largest > 0.0 else None
    return TableCell(number(growth.value), defined(growth.value), interval(growth), tone, bar)
