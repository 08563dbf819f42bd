"""How a model ranks the sessions of a day, as the history keeps it."""

from collections.abc import Iterator
from dataclasses import dataclass

from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.intervals import UNDEFINED, Estimate
from ranker.evaluation.summary import Model


@dataclass(frozen=True)
class DayRanking:
    """The sessions of a day, ranked by one score. It raises no alarm: its healthy range depends on the log.

    Attributes:
        objective: ranked by its probability; "" for the utility.
        sessions: with a pair of a positive and a negative of the objective; for the utility all.
        k: of NDCG at k and of the utility of the top k.
        gauc: AUC within sessions; undefined for the utility.
        ndcg: NDCG at k.
        top_utility: utility of the top k; undefined for an objective.
    """

    objective: str
    sessions: int
    k: int
    gauc: Estimate
    ndcg: Estimate
    top_utility: Estimate


def day_rankings(evaluation: Evaluation, model: Model) -> Iterator[DayRanking]:
    """The ranking by the utility, and then by each objective that the model predicts.

    Args:
        evaluation: of the day.
        model: candidate or baseline.
    """
    k = evaluation.sessions.utility.k
    utility = evaluation.utility.of(model)
    yield DayRanking("", utility.sessions, k, UNDEFINED, utility.ndcg, utility.top_utility)
    for objective, found in evaluation.objectives.items():
        if evaluation.predicts(model, objective):
            ranked = found.of(model).ranking
            yield DayRanking(objective, ranked.gauc_sessions, k, ranked.gauc, ranked.ndcg, UNDEFINED)
