"""Orders in which the candidates of a batch of sessions can be shown."""

import numpy as np

from datasets.synthetic.vocabulary import Floats, Ints


def best_first(scores: Floats, offsets: Ints) -> Ints:
    """The order by falling score within each session; candidates with equal scores keep their order.

    Args:
        scores: [candidates].
        offsets: [sessions + 1], where each session begins.

    Returns:
        [candidates], rows of the candidates: sessions one after the other, each from position 1 on.

    Raises:
        ValueError: there is not one score per candidate.
    """
    if scores.shape != (offsets[-1],):
        raise ValueError(f"scores: expected one per candidate, [{offsets[-1]}], got {list(scores.shape)}")
    return np.lexsort((-scores, np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))))


def check_order(order: Ints, offsets: Ints) -> None:
    """Checks that `order` shows every candidate once, in its own session.

    Raises:
        ValueError: it does not.
    """
    if order.shape != (offsets[-1],):
        raise ValueError(f"order: expected one row per candidate, [{offsets[-1]}], got {list(order.shape)}")
    session = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    if not np.array_equal(np.sort(order), np.arange(len(order))):
        raise ValueError("order: expected every candidate once")
    if len(wrong := np.flatnonzero(session[order] != session)):
        raise ValueError(
            f"order: shows candidate {order[wrong[0]]} in session {session[wrong[0]]}, which is not its own"
        )
