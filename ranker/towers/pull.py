"""The regularisation of an incremental update towards earlier weights (LiRank, section 3.6).

The loss on the new impressions gets the additional term

    lambda / 2 · [alpha (w - w₀)ᵀ H₀ (w - w₀) + (1 - alpha) (w - wₜ₋₁)ᵀ Hₜ₋₁ (w - wₜ₋₁)]

where w₀ are the weights of the last cold start, wₜ₋₁ those of the previous update, and H the diagonal of each one's
empirical Fisher information. H estimates how much the loss on the old impressions rises when a weight moves. Weights
that the old impressions determine well stay close to their values; the others are free to fit the new impressions.
Training starts at alpha w₀ + (1 - alpha) wₜ₋₁. Leaf embeddings that are not trained stay as they are: the pull does not
move them.

Borisyuk et al., "LiRank: Industrial Large Scale Ranking Models at LinkedIn" (KDD 2024).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ranker.towers.state import Snapshot, TowerState


@dataclass(frozen=True, eq=False)
class Pull:
    """One quadratic term per trainable weight; equal to the sum of the paper's two terms up to a constant.

    Attributes:
        stiffness: lambda (alpha H₀ + (1 - alpha) Hₜ₋₁).
        target: the minimum of the term: the mean of w₀ and wₜ₋₁, weighted by alpha H₀ and (1 - alpha) Hₜ₋₁.
    """

    stiffness: tuple[tf.Tensor, ...]
    target: tuple[tf.Tensor, ...]

    def penalty(self, weights: Sequence[Any]) -> tf.Tensor:
        """The term at the network's trainable `weights`; a scalar, in nats per impression."""
        terms = [
            tf.reduce_sum(stiffness * tf.square(weight - target))
            for weight, stiffness, target in zip(weights, self.stiffness, self.target, strict=True)
        ]
        return 0.5 * tf.add_n(terms)


def incremental_start(state: TowerState, strength: float, cold_share: float) -> tuple[Snapshot, Pull]:
    """The starting weights of an incremental update, and its pull.

    Args:
        state: of the previous update.
        strength: lambda.
        cold_share: alpha.

    Raises:
        ValueError: the state has no Fisher information.
    """
    latest, cold = state.latest, state.cold
    if cold is None or not latest.fisher or not cold.fisher:
        raise ValueError(
            "incremental update: the saved towers carry no Fisher information, as they were trained with another "
            "retraining.start; they need a cold start"
        )
    start = Snapshot(
        trainable=tuple(_mixed(cold_share, w0, w1) for w0, w1 in zip(cold.trainable, latest.trainable, strict=True)),
        other=latest.other,
    )
    stiffness, target = [], []
    for h0, w0, h1, w1 in zip(cold.fisher, cold.trainable, latest.fisher, latest.trainable, strict=True):
        of_cold, of_latest = cold_share * h0, (1.0 - cold_share) * h1
        total = of_cold + of_latest
        mean = np.divide(of_cold * w0 + of_latest * w1, total, out=np.array(w1), where=total > 0.0)
        # Tensors, as every trace would copy arrays into its graph.
        stiffness.append(tf.constant(strength * total, tf.float32))
        target.append(tf.constant(mean, tf.float32))
    return start, Pull(tuple(stiffness), tuple(target))


def _mixed(share: float, cold: np.ndarray, latest: np.ndarray) -> np.ndarray:
    # Exact where both are equal, as leaf embeddings are that no later day has trained.
    return (latest + share * (cold - latest)).astype(np.float32)
