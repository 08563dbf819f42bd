"""Writes a FeedRanker as a SavedModel with a manifest."""

import os
from collections.abc import Mapping

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from ranker.export.module import FeedRanker
from ranker.export.training_state import TrainingState
from ranker.registry.layout import MANIFEST, STATE
from ranker.registry.manifest import Manifest


def export_saved_model(
    module: FeedRanker, manifest: Manifest, directory: str, state: TrainingState | None = None
) -> None:
    """Writes SavedModel and manifest beside `directory`, then renames, so that what stands there is whole.

    Args:
        module: what to export.
        manifest: says what it is.
        directory: the folder to write.
        state: what a later training goes on from; written with the model if there is one.

    Raises:
        FileExistsError: there is something at `directory` already.
    """
    if tf.io.gfile.exists(directory):
        raise FileExistsError(f"{directory}: a model is there already")
    aside = f"{directory.rstrip('/')}.partial"
    if tf.io.gfile.exists(aside):
        tf.io.gfile.rmtree(aside)
    tf.saved_model.save(module, aside, signatures=module.signatures())
    _write_defaults(os.path.join(aside, tf.saved_model.SAVED_MODEL_FILENAME_PB), module.defaults())
    path = os.path.join(aside, MANIFEST)
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(manifest.to_json())
    if state is not None:
        state.save(os.path.join(aside, STATE))
    tf.io.gfile.rename(aside, directory)


def _write_defaults(path: str, defaults: Mapping[str, Mapping[str, float]]) -> None:
    """Adds to a SavedModel's signatures what stands for inputs that a request leaves out; servers look it up there."""
    saved = saved_model_pb2.SavedModel()
    with tf.io.gfile.GFile(path, "rb") as file:
        saved.ParseFromString(file.read())
    for signature, values in defaults.items():
        for name, value in values.items():
            tensor = tf.make_tensor_proto(value, tf.float32)
            saved.meta_graphs[0].signature_def[signature].defaults[name].CopyFrom(tensor)
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(saved.SerializeToString(deterministic=True))
