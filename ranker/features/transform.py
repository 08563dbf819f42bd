"""Transforms rows, with a new Transform graph analysed on them or with an existing graph.

One Beam step analyses a file, one merges the summaries of all files and writes the graph, and one transforms a file.
Within a file, rows are handled in batches by TensorFlow, so no row passes through Beam by itself.
"""

import os
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform import impl_helper
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io
from tfx_bsl.coders import example_coder
from tfx_bsl.tfxio import tensor_to_arrow

from ranker.config.columns import Features
from ranker.examples import records
from ranker.features.analysis import Summary, merged, summarised, vocabulary_sizes
from ranker.features.raw_examples import RawExamples
from ranker.features.standardising import write_moments
from ranker.features.vocabularies import VOCABULARIES, write_vocabularies
from ranker.files import atomic_file

_BATCH_ROWS = 2048

PreprocessingFn = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True)
class SplitFiles:
    """One split: its name, the pattern of the files to read, and the prefix of the files to write."""

    name: str
    pattern: str
    prefix: str


@dataclass(frozen=True)
class Shard:
    """A file to transform, and the file to write."""

    source: str
    target: str


def analyse_and_transform(
    preprocessing_fn: PreprocessingFn,
    features: Features,
    analysed: str,
    schema: schema_pb2.Schema,
    splits: Sequence[SplitFiles],
    graph: str,
    make_pipeline: Callable[[], beam.Pipeline],
    scratch: str,
) -> None:
    """Analyses the split `analysed`, writes the Transform graph, and writes every split's transformed rows.

    Args:
        preprocessing_fn: inputs, and the keyword arguments `analysis` and `vocabulary_file` → outputs, as
            `ranker.features.preprocessing.preprocessing_fn`.
        features: the columns to analyse.
        analysed: name of the split for vocabularies and moments.
        schema: of the rows; all its columns are read.
        splits: the files to read and to write.
        graph: folder to write the Transform graph into.
        make_pipeline: creates the Beam pipeline.
        scratch: a folder for temporary files.

    Raises:
        ValueError: a split has no files.
    """
    [files] = [_files(split) for split in splits if split.name == analysed]
    shards = _shards(splits)
    with make_pipeline() as pipeline:
        written = (
            pipeline
            | "FilesToAnalyse" >> beam.Create(files)
            | "ShareFiles" >> beam.Reshuffle()
            | "Analyse" >> beam.ParDo(_Analyse(schema, features))
            | "Merge" >> beam.CombineGlobally(_MergeSummaries(features))
            | "WriteGraph" >> beam.ParDo(_WriteGraph(preprocessing_fn, schema, graph, scratch))
        )
        _transform(pipeline, shards, beam.pvalue.AsSingleton(written), scratch)


def transform_by(
    graph: str, splits: Sequence[SplitFiles], make_pipeline: Callable[[], beam.Pipeline], scratch: str
) -> None:
    """Writes every split's rows, transformed by the graph in the folder `graph`, in TFRecord files.

    Args:
        graph: folder of a Transform graph.
        splits: the files to read and to write. Each file to read becomes one file.
        make_pipeline: creates the Beam pipeline.
        scratch: a folder for temporary files.

    Raises:
        ValueError: a split has no files.
    """
    shards = _shards(splits)
    with make_pipeline() as pipeline:
        _transform(pipeline, shards, graph, scratch)


def write_graph(preprocessing_fn: PreprocessingFn, summary: Summary, schema: schema_pb2.Schema, graph: str) -> None:
    """Writes a Transform graph for the analysed rows, in the form that `tft.TFTransformOutput` reads.

    Args:
        preprocessing_fn: as in `analyse_and_transform`.
        summary: of the analysed rows.
        schema: of the rows.
        graph: a new folder.
    """
    analysis = summary.analysis()
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, VOCABULARIES)
        write_vocabularies(analysis.vocabularies, file)
        impl_helper.analyze_in_place(
            partial(preprocessing_fn, analysis=analysis, vocabulary_file=file),
            force_tf_compat_v1=False,
            feature_specs={},
            type_specs=RawExamples(schema).type_specs(),
            transform_output_path=graph,
        )
    write_moments(analysis.moments, graph)
    raw = os.path.join(graph, tft.TFTransformOutput.RAW_METADATA_DIR)
    metadata_io.write_metadata(dataset_metadata.DatasetMetadata(schema), raw)


def _files(split: SplitFiles) -> list[str]:
    files = sorted(tf.io.gfile.glob(split.pattern))
    if not files:
        raise ValueError(f"examples: no files match {split.pattern}")
    return files


def _shards(splits: Iterable[SplitFiles]) -> list[Shard]:
    shards = []
    for split in splits:
        files = _files(split)
        shards += [Shard(file, f"{split.prefix}-{i:05d}-of-{len(files):05d}") for i, file in enumerate(files)]
    return shards


def _transform(pipeline: beam.Pipeline, shards: Sequence[Shard], graph: Any, scratch: str) -> None:
    tf.io.gfile.makedirs(scratch)
    _ = (
        pipeline
        | "Shards" >> beam.Create(shards)
        | "ShareShards" >> beam.Reshuffle()
        | "Transform" >> beam.ParDo(_TransformShard(scratch), graph)
    )


@beam.typehints.with_input_types(str)
@beam.typehints.with_output_types(Summary)
class _Analyse(beam.DoFn):
    """Files of Examples → the summary of each."""

    def __init__(self, schema: schema_pb2.Schema, features: Features) -> None:
        self._schema = schema.SerializeToString()
        self._features = features

    def setup(self) -> None:
        """Prepares the function for a batch, which is traced once."""
        columns = {*self._features.numeric_names, *vocabulary_sizes(self._features), self._features.names[0]}
        raw = RawExamples(schema_pb2.Schema.FromString(self._schema), columns)
        self._summarised = _compiled(lambda examples: summarised(self._features, raw.parse(examples)))

    def process(self, file: str) -> Iterable[Summary]:
        """Summarises one file."""
        summary = Summary(self._features)
        for batch in records(file, _BATCH_ROWS).prefetch(1):
            summary.add(*tf.nest.map_structure(lambda tensor: tensor.numpy(), self._summarised(batch)))
        yield summary


@beam.typehints.with_input_types(Summary)
@beam.typehints.with_output_types(Summary)
class _MergeSummaries(beam.CombineFn):
    """Summaries → the summary of all rows."""

    def __init__(self, features: Features) -> None:
        self._features = features

    def create_accumulator(self) -> Summary:
        """Of no rows."""
        return Summary(self._features)

    def add_input(self, accumulator: Summary, summary: Summary) -> Summary:
        """Merges one summary."""
        accumulator.merge(summary)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Summary]) -> Summary:
        """Merges several summaries."""
        return merged(self._features, accumulators)

    def extract_output(self, accumulator: Summary) -> Summary:
        """The summary itself."""
        return accumulator


@beam.typehints.with_input_types(Summary)
@beam.typehints.with_output_types(str)
class _WriteGraph(beam.DoFn):
    """The summary of all rows → the folder of the graph."""

    def __init__(self, preprocessing_fn: PreprocessingFn, schema: schema_pb2.Schema, graph: str, scratch: str) -> None:
        self._preprocessing_fn = preprocessing_fn
        self._schema = schema.SerializeToString()
        self._graph, self._scratch = graph, scratch

    def process(self, summary: Summary) -> Iterable[str]:
        """Writes the graph. An attempt that fails half-way leaves nothing behind that a later one could mix with."""
        written = os.path.join(self._scratch, f"graph-{uuid.uuid4().hex}")
        write_graph(self._preprocessing_fn, summary, schema_pb2.Schema.FromString(self._schema), written)
        for folder, _, files in tf.io.gfile.walk(written):
            target = os.path.join(self._graph, os.path.relpath(folder, written))
            tf.io.gfile.makedirs(target)
            for file in files:
                tf.io.gfile.copy(os.path.join(folder, file), os.path.join(target, file), overwrite=True)
        yield self._graph


@beam.typehints.with_input_types(Shard, str)
@beam.typehints.with_output_types(None)
class _TransformShard(beam.DoFn):
    """Transforms files; each is written atomically."""

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch
        self._graph: _Graph | None = None

    def process(self, shard: Shard, graph: str) -> None:
        """Transforms one file."""
        self._graph = self._graph or _Graph(graph)
        with (
            atomic_file(shard.target, scratch=self._scratch, durable=False) as path,
            tf.io.TFRecordWriter(str(path)) as writer,
        ):
            for example in self._graph.transformed(shard.source):
                writer.write(example)


class _Graph:
    """A loaded Transform graph, from serialised Examples to serialised Examples."""

    def __init__(self, graph: str) -> None:
        output = tft.TFTransformOutput(graph)
        # The graph's own schema, as it says how the graph reads each column.
        raw = RawExamples(output.raw_metadata.schema)
        layer = output.transform_features_layer()
        self._transformed = _compiled(lambda examples: layer(raw.parse(examples)))
        outputs = self._transformed.structured_outputs
        specs = {name: tf.TensorSpec(tensor.shape, tensor.dtype) for name, tensor in outputs.items()}
        self._converter = tensor_to_arrow.TensorsToRecordBatchConverter(specs)
        self._encoder = example_coder.RecordBatchToExamplesEncoder(output.transformed_metadata.schema)

    def transformed(self, file: str) -> Iterable[bytes]:
        """The transformed rows of a file, in its order."""
        for batch in records(file, _BATCH_ROWS).prefetch(1):
            yield from self._encoder.encode(self._converter.convert(self._transformed(batch)))


def _compiled(function: Callable[[tf.Tensor], Any]) -> Any:
    """A function of serialised Examples, string [batch], traced once."""
    examples = tf.TensorSpec([None], tf.string)
    return tf.function(function, input_signature=[examples], autograph=False).get_concrete_function()
