"""Our model with random effects, trained as one model."""

from dataclasses import dataclass
from pathlib import Path

from research.quality.networks import ours
from research.quality.random_effects.effects import effects_of, with_effects
from research.quality.random_effects.offsets import OutOfSample
from research.quality.rows import HeldOutDay, Probabilities


@dataclass(frozen=True)
class OursWithEffects:
    """Our model with the random effects of `effects_of`.

    Attributes:
        log: folder of the feed log.
    """

    log: Path

    def __call__(self, day: HeldOutDay, seed: int) -> Probabilities:
        """The probabilities of the held-out rows [test rows, objectives].

        Raises:
            ValueError: the training rows are of a single day, or an input of the effects is no dense embedding.
        """
        return with_effects(day, self.log, effects_of(day.config), OutOfSample(self.log)(day, seed), ours(day, seed))
