"""Transforms rows by a graph that was analysed before."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.coders import example_coder
from tfx_bsl.tfxio import tf_example_record

_BATCH_ROWS = 2048


@dataclass(frozen=True)
class SplitFiles:
    """One split: its name, the files to read, and what the names of the files to write begin with."""

    name: str
    pattern: str
    prefix: str


def transform_by(
    graph: str,
    schema: schema_pb2.Schema,
    splits: Sequence[SplitFiles],
    make_pipeline: Callable[[], beam.Pipeline],
    scratch: str,
) -> None:
    """Writes every split's rows as the Transform graph in the folder `graph` turns them out, in TFRecord files.

    Args:
        graph: folder of a Transform graph.
        schema: of the rows to read.
        splits: what to read and to write.
        make_pipeline: makes the Beam pipeline to run in.
        scratch: a folder for temporary files.
    """
    needed = sorted(tft.TFTransformOutput(graph).raw_feature_spec())
    with make_pipeline() as pipeline, tft_beam.Context(temp_dir=scratch, use_deep_copy_optimization=True):
        transform_fn = pipeline | "ReadGraph" >> tft_beam.ReadTransformFn(graph)
        for split in splits:
            source = tf_example_record.TFExampleRecord(
                split.pattern, schema=schema, telemetry_descriptors=["FeedRanker", "Transform"]
            ).Project(needed)
            rows = pipeline | f"Read[{split.name}]" >> source.BeamSource(_BATCH_ROWS)
            transformed, metadata = (
                (rows, source.TensorAdapterConfig()),
                transform_fn,
            ) | f"Transform[{split.name}]" >> tft_beam.TransformDataset(output_record_batches=True)
            _ = (
                transformed
                | f"Encode[{split.name}]" >> beam.ParDo(_Encode(metadata.schema))
                | f"Write[{split.name}]" >> beam.io.WriteToTFRecord(split.prefix)
            )


@beam.typehints.with_input_types(tuple[pa.RecordBatch, dict[str, pa.Array]])
@beam.typehints.with_output_types(bytes)
class _Encode(beam.DoFn):
    """Batches of transformed rows → serialised tf.Examples."""

    def __init__(self, schema: schema_pb2.Schema) -> None:
        self._schema = schema.SerializeToString()

    def setup(self) -> None:
        """Makes the encoder, which cannot be sent to a worker."""
        self._encoder = example_coder.RecordBatchToExamplesEncoder(schema_pb2.Schema.FromString(self._schema))

    def process(self, batch: tuple[pa.RecordBatch, Any]) -> Iterator[bytes]:
        """Encodes one batch."""
        yield from self._encoder.encode(batch[0])
