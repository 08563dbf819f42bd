"""A model's predictions of a held-out day, with random effects of its training days."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ranker.config.effects import Effects
from ranker.config.pipeline import PipelineConfig
from research.quality.models import MODELS, ComparedModel
from research.quality.names import OURS
from research.quality.random_effects.effects import default_effects, with_effects
from research.quality.random_effects.offsets import OutOfSample, out_of_sample
from research.quality.rows import HeldOutDay, Probabilities
from research.quality.study import predictions_of

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


@dataclass(frozen=True)
class OursWithEffects:
    """Our model with random effects: the config's, or `default_effects` if it has none.

    Attributes:
        log: folder of the feed log.
    """

    log: Path

    def __call__(self, day: HeldOutDay, seed: int) -> Probabilities:
        """The probabilities of the held-out rows [test rows, objectives].

        Raises:
            ValueError: the training rows are of a single day.
        """
        predicted = MODELS[OURS].predict(day, seed)
        return with_effects(day, self.log, _effects(day.config), OutOfSample(self.log)(day, seed), predicted)


def ours_with_effects(log: Path) -> ComparedModel:
    """`OursWithEffects` as a model of `research.quality.study`."""
    code = (*MODELS[OURS].code, "ranker.effects", "research.quality.random_effects")
    return ComparedModel(OursWithEffects(log), code, _reads)


def _reads(config: PipelineConfig) -> tuple[object, ...]:
    return *MODELS[OURS].reads(config), _effects(config)


def _effects(config: PipelineConfig) -> Effects:
    return config.effects or default_effects(config)
