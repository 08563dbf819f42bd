"""Transforms rows, with a new Transform graph analysed on them or with an existing graph."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import dataset_metadata
from tfx_bsl.coders import example_coder
from tfx_bsl.tfxio import tf_example_record

_BATCH_ROWS = 2048


@dataclass(frozen=True)
class SplitFiles:
    """One split: its name, the pattern of the files to read, and the prefix of the files to write."""

    name: str
    pattern: str
    prefix: str


def analyse_and_transform(
    preprocessing_fn: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    analysed: str,
    schema: schema_pb2.Schema,
    splits: Sequence[SplitFiles],
    graph: str,
    make_pipeline: Callable[[], beam.Pipeline],
    scratch: str,
) -> None:
    """Analyses the split `analysed`, writes the Transform graph, and writes every split's transformed rows.

    TFX's executor makes the same TFT calls, but first traces the graph about six times to find the columns that are
    read and the cacheable analyzers. On a small log that takes longer than transforming the rows.

    Args:
        preprocessing_fn: TFT's preprocessing function.
        analysed: name of the split for vocabularies and moments.
        schema: of the rows; all its columns are read.
        splits: the files to read and to write.
        graph: folder to write the Transform graph into.
        make_pipeline: creates the Beam pipeline.
        scratch: a folder for temporary files.
    """
    with make_pipeline() as pipeline, _context(scratch):
        sources = {split: _source(split, schema) for split in splits}
        [source] = [source for split, source in sources.items() if split.name == analysed]
        rows = pipeline | "ReadToAnalyse" >> source.BeamSource(_BATCH_ROWS)
        transform_fn = (rows, source.TensorAdapterConfig()) | tft_beam.AnalyzeDataset(preprocessing_fn)
        raw = dataset_metadata.DatasetMetadata(schema)
        raw_folder = os.path.join(graph, tft.TFTransformOutput.RAW_METADATA_DIR)
        _ = raw | "WriteSchema" >> tft_beam.WriteMetadata(raw_folder, pipeline)
        _ = transform_fn | "WriteGraph" >> tft_beam.WriteTransformFn(graph)
        _write(pipeline, sources, transform_fn)


def transform_by(
    graph: str,
    schema: schema_pb2.Schema,
    splits: Sequence[SplitFiles],
    make_pipeline: Callable[[], beam.Pipeline],
    scratch: str,
) -> None:
    """Writes every split's rows, transformed by the graph in the folder `graph`, in TFRecord files.

    Args:
        graph: folder of a Transform graph.
        schema: of the rows.
        splits: the files to read and to write.
        make_pipeline: creates the Beam pipeline.
        scratch: a folder for temporary files.
    """
    needed = sorted(tft.TFTransformOutput(graph).raw_feature_spec())
    with make_pipeline() as pipeline, _context(scratch):
        transform_fn = pipeline | "ReadGraph" >> tft_beam.ReadTransformFn(graph)
        _write(pipeline, {split: _source(split, schema).Project(needed) for split in splits}, transform_fn)


def _context(scratch: str) -> tft_beam.Context:
    return tft_beam.Context(temp_dir=scratch, use_deep_copy_optimization=True)


def _source(split: SplitFiles, schema: schema_pb2.Schema) -> tf_example_record.TFExampleRecord:
    return tf_example_record.TFExampleRecord(
        split.pattern, schema=schema, telemetry_descriptors=["FeedRanker", "Transform"]
    )


def _write(pipeline: beam.Pipeline, sources: Mapping[SplitFiles, Any], transform_fn: Any) -> None:
    for split, source in sources.items():
        # The analysed split is read again: otherwise Beam would keep its rows in memory until the graph is computed.
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
        """Creates the encoder, which cannot be pickled."""
        self._encoder = example_coder.RecordBatchToExamplesEncoder(schema_pb2.Schema.FromString(self._schema))

    def process(self, batch: tuple[pa.RecordBatch, Any]) -> Iterator[bytes]:
        """Encodes one batch."""
        yield from self._encoder.encode(batch[0])
