"""EffectsTrainer's executors: they fit effects on the split train, and copy the model with them."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cache, partial
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
from absl import logging
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.dsl.components.base import base_beam_executor, base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.artifacts import files_by_day
from ranker.config.columns import Features, Keys
from ranker.config.documents import from_json
from ranker.config.effects import Effects
from ranker.effects.settings import effect_settings
from ranker.effects.state import EffectState
from ranker.examples import example_files, records
from ranker.export.effect_rows import BATCH_ROWS, Offsets, RowReader, offsets_of
from ranker.export.effects_beam import DayFiles, fit_effects_with_beam
from ranker.export.fitted_effects import DayRows, fit_effects, install_effects
from ranker.export.raw_features import RawFeatures
from ranker.feed_log.day import resolve_day
from ranker.files import atomic_folder
from ranker.registry.effects_plan import EffectsPlan, plan_effects
from ranker.registry.layout import EFFECT_STATE, SAVED_MODEL, STATE, TRANSFORM_GRAPH
from ranker.storage import copy_folder, join, local_copy


class Executor(base_executor.BaseExecutor):
    """Emits the model with the effects of the training days, all in the component's process."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the model.

        Raises:
            ValueError: the model was exported with other effects, or a pushed model predicts other objectives.
            NotConvergedError: the regression of an entity did not converge.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        _train(input_dict, output_dict, exec_properties, None)


class BeamExecutor(base_beam_executor.BaseBeamExecutor):
    """Emits the same model, with the effects fitted over Beam."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the model.

        Raises:
            ValueError: the model was exported with other effects.
            EffectsJobError: the job failed, such as for a reason that `Executor` raises.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        _train(input_dict, output_dict, exec_properties, self._make_beam_pipeline)


def _train(
    input_dict: dict[str, list[types.Artifact]],
    output_dict: dict[str, list[types.Artifact]],
    exec_properties: dict[str, Any],
    make_beam_pipeline: Callable[[], beam.Pipeline] | None,
) -> None:
    """Writes the model; fits in this process if `make_beam_pipeline` is None."""
    effects = from_json(Effects, exec_properties["effects"])
    features = from_json(Features, exec_properties["features"])
    objectives = from_json(tuple[str, ...], exec_properties["objectives"])
    [examples] = input_dict["examples"]
    files = files_by_day(examples, example_files(artifact_utils.get_split_uri([examples], "train")))
    destination = exec_properties["push_destination"]
    if exec_properties["plan"]:
        plan = from_json(EffectsPlan, exec_properties["plan"])
    else:
        held_out = resolve_day(exec_properties["eval_day"])
        days = map(date.fromisoformat, files)
        columns = (*features.names_read, *features.exposure_names, *effects.columns)
        settings = effect_settings(effects, objectives)
        plan = plan_effects(destination, held_out, days, settings, objectives, columns, features)
    source = path_utils.serving_model_dir(artifact_utils.get_single_uri(input_dict["model"]))
    output = artifact_utils.get_single_uri(output_dict["model_with_effects"])
    target = path_utils.serving_model_dir(output)
    schema_uri = artifact_utils.get_single_uri(input_dict["schema"])
    schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema_uri))
    timestamp = from_json(Keys, exec_properties["keys"]).timestamp
    graph = join(source, STATE, TRANSFORM_GRAPH)
    make_reader = partial(_reader, effects, features, schema, objectives, timestamp, graph)
    before = _state(join(destination, plan.prior, STATE, EFFECT_STATE)) if plan.prior else None
    impressions = {
        day: DayFiles(tuple(files[day]), join(destination, version))
        for day, version in plan.offsets.items()
        if day in files
    }
    if make_beam_pipeline is None:
        fitted = fit_effects(make_reader(), effects, objectives, _rows(impressions, objectives), before)
    else:
        with _scratch(output) as folder:
            fitted = fit_effects_with_beam(
                make_beam_pipeline, make_reader, effects, objectives, impressions, before, folder
            )
    # A cluster retries a component with the same artifact.
    with atomic_folder(target, replace=True, last=SAVED_MODEL, durable=False) as model:
        copy_folder(source, model)
        if fitted is None:
            logging.info("no effects: no model was pushed before any of the days %s", ", ".join(sorted(files)))
        else:
            record = install_effects(model, effects, features, fitted, plan.prior)
            logging.info("effects of %s from %d impressions", record.entities, record.rows)


def _reader(
    effects: Effects,
    features: Features,
    schema: schema_pb2.Schema,
    objectives: tuple[str, ...],
    timestamp: str,
    graph: str,
) -> RowReader:
    raw = RawFeatures(features, schema, effects.columns)
    return RowReader(effects, features, raw, objectives, timestamp, graph)


@contextmanager
def _scratch(output: str) -> Iterator[str]:
    """An empty folder below an artifact, which Beam's workers can reach; removed when the block ends."""
    folder = join(output, f".fitting-{uuid.uuid4().hex}")
    fileio.makedirs(folder)
    try:
        yield folder
    finally:
        fileio.rmtree(folder)


def _rows(days: Mapping[str, DayFiles], objectives: tuple[str, ...]) -> dict[str, DayRows]:
    # A model is loaded with the first impression that needs it.
    offsets = cache(lambda model: offsets_of(model, objectives))
    return {
        name: DayRows(partial(_batches, day.files), partial(_score, offsets, day.model)) for name, day in days.items()
    }


def _state(location: str) -> EffectState:
    # TensorFlow cannot read every store that models can be pushed to.
    with local_copy(location) as folder:
        return EffectState.load(str(folder))


def _score(offsets: Callable[[str], Offsets], model: str, examples: tf.Tensor) -> NDArray[np.float32]:
    return offsets(model)(examples)


def _batches(files: Sequence[str]) -> Iterator[tf.Tensor]:
    for file in files:
        yield from records(file, BATCH_ROWS)
