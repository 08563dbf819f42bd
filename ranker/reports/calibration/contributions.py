"""Why a few impressions have their scores: one table per objective."""

from collections.abc import Sequence

from ranker.explanation.impressions import ExplainedImpression
from ranker.reports.calibration.inputs import ReportInputs
from ranker.reports.html_table import Table, TableCell, TableColumn, Tone, text_cell

MOST_COLUMNS = 8
"""Columns of a table that have a row of their own; the others are added up."""


def contribution_tables(inputs: ReportInputs) -> list[tuple[str, Table]]:
    """Objective → its table: a row per column, and a cell per impression with the contribution and the value."""
    return [(name, _table(name, impressions)) for name, impressions in inputs.explained.items() if impressions]


def _table(objective: str, impressions: Sequence[ExplainedImpression]) -> Table:
    columns = (
        TableColumn("column", numeric=False),
        *(TableColumn(_title(one), "what the column adds to the log-odds; below it its value") for one in impressions),
    )
    size = {name: max(abs(one.contributions[name]) for one in impressions) for name in impressions[0].contributions}
    ordered = sorted(size, key=lambda name: -size[name])
    shown, others = ordered[:MOST_COLUMNS], ordered[MOST_COLUMNS:]
    rows = [(text_cell("an average impression", "muted"), *(_cell(one.baseline) for one in impressions))]
    rows += [
        (text_cell(name), *(_cell(one.contributions[name], one.values.get(name, "")) for one in impressions))
        for name in shown
    ]
    if others:
        left = (sum(one.contributions[name] for name in others) for one in impressions)
        rows.append((text_cell(f"{len(others)} other columns", "muted"), *(_cell(value) for value in left)))
    rows.append(
        (text_cell("log-odds", "muted"), *(TableCell(f"{one.log_odds:+.2f}", one.log_odds) for one in impressions))
    )
    return Table(f"why-{objective}", columns, tuple(rows))


def _title(one: ExplainedImpression) -> str:
    happened = {True: "happened", False: "did not happen", None: "not observed"}[one.outcome]
    return f"{one.kind}: {100 * one.probability:.3g} %, {happened}"


def _cell(value: float, note: str = "") -> TableCell:
    tone: Tone = "" if abs(value) < 0.005 else "good" if value > 0 else "bad"
    return TableCell(f"{value:+.2f}", value, note=note[:80], tone=tone)
