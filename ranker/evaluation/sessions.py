"""What session metrics are computed from, and what they leave out."""

from collections.abc import Iterator
from dataclasses import dataclass

from ranker.evaluation.accumulator import Accumulator
from ranker.evaluation.session_sums import UtilityWeights


@dataclass(frozen=True)
class Sessions:
    """What the session metrics were computed from.

    Attributes:
        utility: the weights of the objectives, and the k of NDCG at k and of the utility of the top k.
        share: the share of all sessions that they were computed from; below 1 only for a very large day.
        impressions_without: impressions without a session id, which are in no session metric.
    """

    utility: UtilityWeights
    share: float = 1.0
    impressions_without: int = 0

    @staticmethod
    def of(accumulator: Accumulator) -> "Sessions":
        """What the session metrics of an accumulator are computed from."""
        return Sessions(accumulator.utility, accumulator.session_share, accumulator.without_session)


def session_notes(share: float, impressions_without: int) -> Iterator[str]:
    """What session metrics leave out, as sentences; none if they cover everything.

    Args:
        share: the share of the sessions that they are computed from.
        impressions_without: impressions without a session id.
    """
    if share < 1.0:
        yield f"session metrics are computed from a sample of {100 * share:g} % of the sessions"
    if impressions_without:
        yield f"session metrics leave out {impressions_without:,} impressions without a session id"
