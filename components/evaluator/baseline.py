"""The baseline of an evaluation: the served model, unless something in it makes a comparison impossible."""

import itertools
import logging
from dataclasses import replace

import tensorflow as tf
from tfx import types

from components.artifacts import BASELINE_REASON, PRESENT, VERSION
from components.evaluator.columns import manifest_of
from components.evaluator.eval_config import EvaluationSpec
from ranker.config.columns import Features
from ranker.evaluation.baseline import Baseline
from ranker.export import inspection as models
from ranker.registry.histories import redefined_histories

_TRIED_FIRST = 32  # examples that the baseline scores before the evaluation starts

_LOG = logging.getLogger(__name__)


def served_model(input_dict: dict[str, list[types.Artifact]]) -> types.Artifact | None:
    """The baseline, or None if there is none, as before the first push."""
    served = input_dict.get("baseline_model") or []
    return served[0] if served and served[0].get_int_custom_property(PRESENT) == 1 else None


def reason_for_the_baseline(input_dict: dict[str, list[types.Artifact]]) -> str | None:
    """Why the baseline is not the serving version, or None if it is, or if nothing serves."""
    served = input_dict.get("baseline_model") or []
    return (served[0].get_string_custom_property(BASELINE_REASON) or None) if served else None


def with_baseline(
    settings: EvaluationSpec, served: types.Artifact, path: str, patterns: list[str], features: Features
) -> EvaluationSpec:
    """Settings with the baseline, and with the objectives that it predicts or the reason why it is dropped."""
    reason = served.get_string_custom_property(BASELINE_REASON) or None
    settings = replace(settings, baseline=Baseline(served.get_string_custom_property(VERSION), reason=reason))
    try:
        outputs = models.predicted_outputs(path)
    except models.UnsuitableModelError as error:
        return without_baseline(settings, str(error))
    compared = tuple(objective for objective in settings.objectives if objective in outputs)
    if not compared:
        return without_baseline(settings, f"it predicts {sorted(outputs)} and none of {sorted(settings.objectives)}")
    if redefined := redefined_histories(manifest_of(served), features):
        return without_baseline(settings, f"its history {redefined[0]} has another definition")
    first = itertools.islice(models.example_batches(patterns, _TRIED_FIRST), 1)
    if problem := models.scoring_problem(path, first):
        return without_baseline(settings, problem)
    lacks = tuple(objective for objective in settings.objectives if objective not in outputs)
    return replace(settings, baseline=replace(settings.baseline, lacks=lacks), compared=compared)


def without_baseline(settings: EvaluationSpec, problem: str) -> EvaluationSpec:
    """Settings without a comparison, and with the reason."""
    _LOG.warning("the baseline is dropped from the evaluation: %s", problem)
    return replace(settings, baseline=replace(settings.baseline, dropped=problem, lacks=()), compared=())


def baseline_problem(path: str, patterns: list[str], error: Exception, batch_size: int) -> str | None:
    """Why the baseline cannot score all examples, or None if the error has another cause."""
    if isinstance(error, (MemoryError, tf.errors.ResourceExhaustedError)):
        return None
    return models.scoring_problem(path, models.example_batches(patterns, batch_size))
