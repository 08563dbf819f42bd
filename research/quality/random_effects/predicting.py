"""Random effects for the programs that compare models: as a model of its own, or on a model that is trained already."""

from pathlib import Path

from rich.console import Console

from ranker.config.effects import Effects
from ranker.config.pipeline import PipelineConfig
from research.quality.models import MODELS, ComparedModel
from research.quality.names import OURS
from research.quality.random_effects.combined import OursWithEffects
from research.quality.random_effects.effects import effects_of, with_effects
from research.quality.random_effects.offsets import OutOfSample
from research.quality.rows import HeldOutDay, Probabilities
from research.quality.study import predictions_of

_OFFSETS = "offsets"
_FOLDER = "research.quality.random_effects"


def ours_with_effects(log: Path) -> ComparedModel:
    """Our model with random effects; it is trained beside `ours`, and not on its predictions.

    Args:
        log: folder of the feed log.
    """
    return ComparedModel(OursWithEffects(log), (*MODELS[OURS].code, f"{_FOLDER}.combined"), _reads)


def predicted_with_effects(
    day: HeldOutDay,
    log: Path,
    effects: Effects,
    seed: int,
    predicted: Probabilities,
    work: Path,
    processes: int,
    console: Console,
) -> Probabilities:
    """Adds effects to our model's predictions of the held-out rows, [test rows, objectives].

    Args:
        day: with the rows that the model reads.
        log: folder of the feed log.
        effects: the config's; its inputs are dense embeddings.
        seed: of the model's training; the models of the offsets are trained with it.
        predicted: by the model alone, [test rows, objectives].
        work: folder for the offsets; existing ones are not computed again.
        processes: see `research.quality.study.compare`.
        console: shows progress.

    Raises:
        ValueError: the training rows are of a single day, or an input of the effects is no dense embedding.
    """
    model = ComparedModel(OutOfSample(log), (*MODELS[OURS].code, f"{_FOLDER}.offsets"), MODELS[OURS].reads)
    [offsets] = predictions_of(day, {_OFFSETS: model}, [seed], work, processes, console)[_OFFSETS]
    return with_effects(day, log, effects, offsets, predicted)


def _reads(config: PipelineConfig) -> tuple[object, ...]:
    return *MODELS[OURS].reads(config), effects_of(config)
