"""A model's predictions of a held-out day, with random effects of its training days."""

from pathlib import Path

from rich.console import Console

from ranker.config.effects import Effects
from research.quality.rows import HeldOutDay, Probabilities
from research.quality.study import predictions_of
from research.random_effects.effects import with_effects
from research.random_effects.offsets import out_of_sample

_OFFSETS = "offsets"


def predicted_with_effects(
    day: HeldOutDay, log: Path, effects: Effects, seed: int, predicted: Probabilities, work: Path, console: Console
) -> Probabilities:
    """Adds effects to a model's predictions of the held-out rows, [test rows, objectives].

    Args:
        day: with the rows that the model reads.
        log: folder of the feed log.
        effects: the config's; its inputs are dense embeddings.
        seed: of the model's training; the models of the offsets are trained with it.
        predicted: by the model alone, [test rows, objectives].
        work: folder for the offsets; existing ones are not computed again.
        console: shows progress.

    Raises:
        ValueError: the training rows are of a single day.
    """
    [offsets] = predictions_of(day, {_OFFSETS: out_of_sample(log)}, [seed], work, 1, console)[_OFFSETS]
    return with_effects(day, log, effects, offsets, predicted)
