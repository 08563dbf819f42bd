"""LeafEncoder's executor: encodes the shards of all splits on Beam's workers."""

import os
import uuid
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from ranker.examples import example_files
from ranker.forest.leaf_shards import Shard, check_shard, encode_shard
from ranker.forest.model import Forest
from ranker.forest.traverse import Traversal


class Executor(base_beam_executor.BaseBeamExecutor):
    """Writes leaf examples with the splits and the number of shards of the transformed examples."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the artifact.

        Raises:
            ValueError: a split has no files, or rows do not match the forest.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(input_dict["transformed_examples"])
        forest_uri = artifact_utils.get_single_uri(input_dict["forest"])
        features = len(Forest.load(forest_uri).feature_names)
        output = artifact_utils.get_single_instance(output_dict["leaf_examples"])
        output.split_names = examples.split_names
        scratch = os.path.join(output.uri, f".writing-{uuid.uuid4().hex}")
        fileio.makedirs(scratch)
        try:
            shards = list(_shards(examples, output, scratch))
            # Beam wraps an exception's text in its own, so shards are checked before it starts.
            for shard in shards:
                check_shard(shard, features)
            with self._make_beam_pipeline() as pipeline:
                _ = (
                    pipeline
                    | "Shards" >> beam.Create(shards)
                    | "Share" >> beam.Reshuffle()
                    | "Encode" >> beam.ParDo(_EncodeShard(forest_uri))
                )
        finally:
            fileio.rmtree(scratch)


@beam.typehints.with_input_types(Shard)
@beam.typehints.with_output_types(None)
class _EncodeShard(beam.DoFn):
    """Encodes shards."""

    def __init__(self, forest_uri: str) -> None:
        self._forest_uri = forest_uri
        self._rows = beam.metrics.Metrics.counter("leaf_encoder", "rows")

    def setup(self) -> None:
        """Loads the forest and prepares its traversal, once per worker."""
        self._traversal = Traversal(Forest.load(self._forest_uri))

    def process(self, shard: Shard) -> None:
        """Encodes one shard."""
        self._rows.inc(encode_shard(shard, self._traversal))


def _shards(examples: types.Artifact, output: types.Artifact, scratch: str) -> Iterator[Shard]:
    for split in artifact_utils.decode_split_names(examples.split_names):
        files = example_files(artifact_utils.get_split_uri([examples], split))
        folder = artifact_utils.get_split_uri([output], split)
        fileio.makedirs(folder)
        for i, file in enumerate(files):
            yield Shard(file, os.path.join(folder, f"leaf_examples-{i:05d}-of-{len(files):05d}"), scratch)
