"""How the model ranks the impressions of each session, in plain words."""

from collections.abc import Iterator

from ranker.config.names import UTILITY
from ranker.evaluation.evaluated_slice import ObjectiveEvaluation
from ranker.evaluation.intervals import UNDEFINED, Estimate
from ranker.evaluation.sessions import session_notes
from ranker.evaluation.summary import UtilityEvaluation
from ranker.reports.calibration.inputs import ReportInputs
from ranker.reports.html_table import MAX_ROWS, Table, TableCell, TableColumn, limited, text_cell
from ranker.reports.text import count, defined, gain, interval, number, signed, signed_interval

Row = tuple[TableCell, ...]

_NOTHING = TableCell("")


def ranking_table(inputs: ReportInputs) -> Table:
    """The ranking by the utility first, then by each objective's probability."""
    columns = [TableColumn("ranked by", numeric=False), *_columns(inputs)]
    evaluation = inputs.evaluation
    rows = [
        (text_cell(UTILITY), *_utility_cells(evaluation.utility)),
        *((text_cell(name), *_objective_cells(found)) for name, found in evaluation.objectives.items()),
    ]
    return limited("ranking", columns, rows)


def ranking_slices_table(inputs: ReportInputs) -> Table:
    """The same on every slice, by descending number of sessions."""
    columns = [TableColumn("slice", numeric=False), TableColumn("ranked by", numeric=False), *_columns(inputs)]
    rows: list[Row] = []
    slices = sorted(inputs.evaluation.slices, key=lambda entry: -entry.utility.candidate.sessions)
    for entry in slices:
        if len(rows) >= MAX_ROWS:
            break
        rows.append((text_cell(entry.name), text_cell(UTILITY), *_utility_cells(entry.utility)))
        for objective, found in entry.objectives.items():
            rows.append((text_cell(entry.name), text_cell(objective), *_objective_cells(found)))
    existing = sum(1 + len(entry.objectives) for entry in slices)
    return limited("ranking-slices", columns, rows, existing=existing)


def explanations(inputs: ReportInputs) -> Iterator[tuple[str, str]]:
    """Each metric and what it says."""
    utility = inputs.evaluation.sessions.utility
    weights = ", ".join(f"{name} {weight:g}" for name, weight in utility.weights.items())
    yield (
        "GAUC",
        "Of all pairs of a positive and a negative of the same session, the share with the positive scored higher. "
        "0.5 is guessing, 1 is always. Sessions count by their pairs.",
    )
    yield (
        f"NDCG@{utility.k}",
        f"How near the top of a session its positives are. Only the first {utility.k} places count, and the higher the "
        "place the more. 1 is the best possible order of the same impressions. The mean over the sessions with a "
        "positive.",
    )
    yield (
        f"utility of the top {utility.k}",
        f"The outcomes observed among the {utility.k} impressions of a session that the model ranks first, each "
        f"counted with its weight ({weights}). The mean over all sessions.",
    )
    yield (
        "on a slice",
        "Only the session's impressions that belong to the slice are ranked.",
    )
    yield (
        "on a log",
        "The impressions were chosen and ordered by the ranker that served them, and outcomes depend on that order. So "
        "these metrics compare models on the same log; they do not say what a feed in the model's own order would get.",
    )


def notes(inputs: ReportInputs) -> list[str]:
    """What session metrics leave out."""
    sessions = inputs.evaluation.sessions
    return [note[0].upper() + note[1:] + "." for note in session_notes(sessions.share, sessions.impressions_without)]


def _columns(inputs: ReportInputs) -> list[TableColumn]:
    k = inputs.evaluation.sessions.utility.k
    below = "; below it the interval over viewers"
    if inputs.compared:
        below += ", the value of the model now serving, and the candidate's difference from it"
    return [
        TableColumn("GAUC", f"AUC within sessions{below}"),
        TableColumn(f"NDCG@{k}", f"normalized discounted cumulative gain of the first {k}{below}"),
        TableColumn(f"utility of the top {k}", f"weights of the outcomes observed there, per session{below}"),
        TableColumn("sessions", "with a pair of a positive and a negative; for the utility all"),
    ]


def _utility_cells(utility: UtilityEvaluation) -> Row:
    ours, theirs, comparison = utility.candidate, utility.baseline, utility.comparison
    return (
        _NOTHING,
        _compared(ours.ndcg, theirs.ndcg if theirs else None, comparison.ndcg_drop if comparison else UNDEFINED),
        _compared(
            ours.top_utility,
            theirs.top_utility if theirs else None,
            comparison.utility_drop if comparison else UNDEFINED,
            relative=True,
        ),
        TableCell(count(ours.sessions), ours.sessions),
    )


def _objective_cells(found: ObjectiveEvaluation) -> Row:
    ours, comparison = found.candidate.ranking, found.comparison
    theirs = found.baseline.ranking if found.baseline else None
    return (
        _compared(ours.gauc, theirs.gauc if theirs else None, comparison.gauc_drop if comparison else UNDEFINED),
        _compared(ours.ndcg, theirs.ndcg if theirs else None, comparison.ndcg_drop if comparison else UNDEFINED),
        _NOTHING,
        TableCell(count(ours.gauc_sessions), ours.gauc_sessions),
    )


def _compared(ours: Estimate, theirs: Estimate | None, drop: Estimate, relative: bool = False) -> TableCell:
    lines = [interval(ours)]
    if theirs is not None:
        lines.append(f"serving {number(theirs.value)}")
    if drop.defined:
        gained, digits, unit = (gain(drop, 100.0), 1, " %") if relative else (gain(drop), 3, "")
        lines += [f"{signed(gained.value, digits, unit)} against it", signed_interval(gained, digits, unit)]
    return TableCell(number(ours.value), defined(ours.value), "\n".join(line for line in lines if line))
