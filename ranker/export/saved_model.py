"""Writes a FeedRanker as a SavedModel with a manifest."""

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from ranker.export.fingerprint import renew_fingerprint
from ranker.export.module import FeedRanker
from ranker.export.row_limit import write_row_limit
from ranker.export.training_state import TrainingState
from ranker.export.warmup import write_warmup
from ranker.files import atomic_folder
from ranker.registry.layout import MANIFEST, SAVED_MODEL, STATE, WARMUP
from ranker.registry.manifest import Manifest


def export_saved_model(
    module: FeedRanker, manifest: Manifest, directory: str, state: TrainingState | None = None
) -> None:
    """Writes SavedModel, warm-up requests and manifest atomically; on an object store, `saved_model.pb` appears last.

    Args:
        module: what to export.
        manifest: says what it is.
        directory: the folder to write, a path or URI.
        state: what a later training continues from; written with the model if there is one.

    Raises:
        FileExistsError: there is something at `directory` already.
    """
    # A later copy to the push destination is flushed to disk; this one can be made again.
    with atomic_folder(directory, last=SAVED_MODEL, durable=False) as folder:
        tf.saved_model.save(module, str(folder), signatures=module.signatures())
        signatures = _complete_signatures(folder / SAVED_MODEL, module.defaults(), module.max_rows)
        renew_fingerprint(folder)
        (folder / MANIFEST).parent.mkdir(exist_ok=True)
        write_warmup(folder / WARMUP, signatures, module.dense, module.max_rows)
        (folder / MANIFEST).write_text(manifest.to_json())
        if state is not None:
            state.save(str(folder / STATE))


def _complete_signatures(
    path: Path, defaults: Mapping[str, Mapping[str, tf.Tensor]], max_rows: int
) -> dict[str, meta_graph_pb2.SignatureDef]:
    """Adds to a SavedModel's signatures what servers and clients look up there: the values of inputs that a request
    leaves out, and the maximum number of candidates. Returns them by name.
    """
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString(path.read_bytes())
    for signature, values in defaults.items():
        for name, value in values.items():
            tensor = tf.make_tensor_proto(value)
            saved.meta_graphs[0].signature_def[signature].defaults[name].CopyFrom(tensor)
    for name in saved.meta_graphs[0].signature_def:
        write_row_limit(saved.meta_graphs[0].signature_def[name], max_rows)
    path.write_bytes(saved.SerializeToString(deterministic=True))
    return dict(saved.meta_graphs[0].signature_def)
