"""Values one policy from the log of the other, and from its own."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ranker.evaluation.off_policy import (
    PolicyValue,
    WeightedLog,
    doubly_robust,
    inverse_propensity,
    self_normalised,
)
from research.open_bandit.sample import BanditLog

Floats = npt.NDArray[np.float64]

# Weight, in impressions, of the overall click rate in an item's predicted rate.
_PRIOR = 200.0


@dataclass(frozen=True)
class Valued:
    """The click rate of a policy.

    Attributes:
        online: from its own log: what off-policy estimates should agree with.
        ips, self_normalised, doubly_robust: from the log of the other policy.
        matched: the click rate of the item that the policy shows most at each position, from the impressions that show
            it; None if it shows all equally often.
    """

    online: PolicyValue
    ips: PolicyValue
    self_normalised: PolicyValue
    doubly_robust: PolicyValue
    matched: PolicyValue | None


def value_policy(log: BanditLog, own: BanditLog, policy: Floats) -> Valued:
    """Values a policy from the log of another one.

    Args:
        log: of the other policy.
        own: of the policy itself.
        policy: chance of each item at each position, [positions, items].
    """
    weighted = _weighted(log, policy[log.position, log.item] / log.propensity)
    rates = _cross_fitted_rates(log)
    fold = _folds(log)
    match = (log.item == policy.argmax(axis=1)[log.position]).astype(np.float64)
    return Valued(
        online=inverse_propensity(_weighted(own, np.ones(len(own)))),
        ips=inverse_propensity(weighted),
        self_normalised=self_normalised(weighted, np.ones(len(log))),
        doubly_robust=doubly_robust(
            weighted, rates[fold, log.item], np.einsum("ij,ij->i", rates[fold], policy[log.position])
        ),
        matched=self_normalised(_weighted(log, match), np.ones(len(log))) if np.ptp(policy) else None,
    )


def uniform_policy(log: BanditLog) -> Floats:
    """Every item with the same chance, [positions, items]."""
    return np.full((int(log.position.max()) + 1, log.items), 1.0 / log.items)


def observed_policy(log: BanditLog) -> Floats:
    """How often the log has each item at each position, [positions, items].

    Thompson sampling changed its chances as it learnt. Their mean over the log is what it would be valued by.
    """
    counts = np.zeros((int(log.position.max()) + 1, log.items))
    np.add.at(counts, (log.position, log.item), 1.0)
    return counts / counts.sum(axis=1, keepdims=True)


def _weighted(log: BanditLog, weight: Floats) -> WeightedLog:
    """Every impression is a session and a viewer of its own: the log has no ids."""
    own = np.arange(len(log))
    return WeightedLog(own, own, weight, log.click)


def _folds(log: BanditLog) -> npt.NDArray[np.int64]:
    return np.arange(len(log)) % 2


def _cross_fitted_rates(log: BanditLog) -> Floats:
    """Click rates of items, [folds, items], each from the impressions of the other fold; shrunk to the overall rate."""
    rates = np.empty((2, log.items))
    for fold in (0, 1):
        rows = _folds(log) != fold
        overall = log.click[rows].mean()
        clicks = np.bincount(log.item[rows], log.click[rows], minlength=log.items)
        shown = np.bincount(log.item[rows], minlength=log.items)
        rates[fold] = (clicks + _PRIOR * overall) / (shown + _PRIOR)
    return rates
