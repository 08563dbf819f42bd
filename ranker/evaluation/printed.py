"""What an evaluation prints: a table of the objectives, one of the sessions, and notes."""

from collections.abc import Callable, Iterator, Mapping

from ranker.config.names import UTILITY
from ranker.evaluation.evaluated_slice import ObjectiveEvaluation
from ranker.evaluation.session_metrics import UtilityMetrics
from ranker.evaluation.shown_numbers import shown_interval, shown_number
from ranker.evaluation.table import PlainTable
from ranker.evaluation.verdict import BY_UTILITY

_HEADINGS = ("objective", "positives", "AUC", "O/E", "NE", "gate")
_NUMERIC = (1, 4)  # the columns without an interval
_SESSIONS_NUMERIC = (1,)

Gate = Callable[[str], str]


def objective_table(objectives: Mapping[str, ObjectiveEvaluation], gate: Gate) -> PlainTable:
    """The candidate's metrics over all impressions, one row per objective.

    Args:
        objectives: by objective.
        gate: objective → what the gates say about it.
    """
    rows = [
        (
            name,
            f"{objective.candidate.positives:,}",
            shown_interval(objective.candidate.auc),
            shown_interval(objective.candidate.o_over_e),
            shown_number(objective.candidate.normalized_entropy.value),
            gate(name),
        )
        for name, objective in objectives.items()
    ]
    return PlainTable(_HEADINGS, rows, _NUMERIC)


def session_table(
    utility: UtilityMetrics, objectives: Mapping[str, ObjectiveEvaluation], k: int, gate: Gate
) -> PlainTable:
    """How the candidate ranks sessions: one row for the utility, and one per objective.

    Args:
        utility: of the candidate.
        objectives: by objective.
        k: of NDCG at k and of the utility of the top k.
        gate: objective → what the gates say about it; the utility is "".
    """
    ndcg, top = shown_interval(utility.ndcg), shown_interval(utility.top_utility)
    rows = [(UTILITY, f"{utility.sessions:,}", "", ndcg, top, gate(BY_UTILITY))]
    for name, objective in objectives.items():
        ranked = objective.candidate.ranking
        gauc, ndcg = shown_interval(ranked.gauc), shown_interval(ranked.ndcg)
        rows.append((name, f"{ranked.gauc_sessions:,}", gauc, ndcg, "", ""))
    headings = ("within sessions", "sessions", "GAUC", f"NDCG@{k}", f"utility of the top {k}", "gate")
    return PlainTable(headings, rows, _SESSIONS_NUMERIC)


def observed_notes(observed: Mapping[str, float]) -> Iterator[str]:
    """One sentence on the objectives that were observed for some impressions only; none if all were.

    Args:
        observed: objective → share of the impressions of which the outcome was observed.
    """
    gaps = [f"{name} for {100 * share:.3g} %" for name, share in observed.items() if share < 1.0]
    if gaps:
        yield f"observed outcomes: {', '.join(gaps)} of the impressions; metrics leave out the others"
