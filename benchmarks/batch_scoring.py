"""Batch scoring compared with the model's graph on batches that are ready in memory.

Ours is what `python -m ranker.score` does after it has loaded the model: Parquet files in, files of scores out. A rival
calls a signature on the same rows, which are ready in memory, and drops what it returns. One is `serving_default` on
tf.Examples, the other `score_features` on the tensors that ours makes; this one tells what reading, converting and
writing cost. The model is that of the built-in feed's config, trained on a few rows, as the size of forest and network
decides how long a row takes.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

import ranker
from benchmarks.harness import Figure, alternate
from datasets.synthetic import generate
from pipeline_config import FEED
from ranker.export.names import EXAMPLES, SERVING_DEFAULT
from ranker.features.log_column import LogColumn
from ranker.scoring.files import plan_files, score_files
from ranker.scoring.loading import LoadedModel, load_model
from ranker.scoring.patterns import input_files

DAYS, ROWS, QUICK_ROWS = 3, 40_000, 3_000
TARGET = 0.8
_ROUNDS, _QUICK_ROUNDS = 5, 2
_QUICK_TREES = 60


def measure(model: LoadedModel, work: Path, quick: bool) -> list[Figure]:
    """Rows per second of batch scoring and of the graph alone, interleaved."""
    scorer = model.scorer
    plans = plan_files(scorer, input_files(str(work / "feed_log" / "day-*" / "*.parquet")))
    rows = sum(plan.rows for plan in plans)
    batches = list(_batches(model, [plan.file.path for plan in plans]))
    signature = tf.saved_model.load(str(model.folder)).signatures[SERVING_DEFAULT]
    examples = [tf.constant(scorer.examples(*batch).to_numpy(zero_copy_only=False)) for batch in batches]
    requests = [scorer.request(*batch) for batch in batches]

    def call_with_examples() -> None:
        for batch in examples:
            signature(**{EXAMPLES: batch})

    def call_with_tensors() -> None:
        for request in requests:
            scorer(request)

    def score() -> None:
        shutil.rmtree(work / "scores", ignore_errors=True)
        score_files(scorer, plans, work / "scores")

    runs: dict[str, Callable[[], object]] = {
        "ours": score,
        "examples": call_with_examples,
        "tensors": call_with_tensors,
    }
    for run in runs.values():  # the first call of a signature prepares it
        run()
    seconds = alternate(runs, _QUICK_ROUNDS if quick else _ROUNDS)
    speed = {name: rows / taken for name, taken in seconds.items()}
    note = f"{rows:,} rows in {len(plans)} files, {scorer.batch_rows:,} rows per call"
    return [
        Figure("batch_scoring_over_graph", speed["ours"], speed["examples"], "rows/s", TARGET, note=note),
        Figure("batch_scoring_over_graph_of_tensors", speed["ours"], speed["tensors"], "rows/s", note=note),
    ]


def _batches(model: LoadedModel, paths: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, Sequence[LogColumn], str]]:
    scorer = model.scorer
    for path in paths:
        table = pq.read_table(path)
        columns = scorer.check(path, table.schema)
        table = table.select([column.source for column in columns])
        for batch in table.to_batches(scorer.batch_rows):
            yield batch, columns, path


def prepared(work: Path, quick: bool) -> LoadedModel:
    """A feed log in the work folder, and a model of the built-in feed's config."""
    rows = QUICK_ROWS if quick else ROWS
    generate(work / "feed_log", days=DAYS, impressions_per_day=rows, seed=1)
    generate(work / "training_log", days=2, impressions_per_day=min(rows, 10_000), seed=2)
    config = FEED
    if quick:
        config = replace(
            FEED, forest=replace(FEED.forest, trees=_QUICK_TREES), training=replace(FEED.training, epochs=1)
        )
    ranker.train(config, work / "training_log", folder=work / "model")
    return load_model(work / "model")
