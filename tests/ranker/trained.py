"""A model that the Python API trains on four small days with every kind of column, two of them with other names."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

import ranker
from ranker.config.columns import Exposure, HashedId, Numeric
from ranker.config.forest import Forest
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.config.towers import Towers
from ranker.config.training import IdTables, Training
from ranker.features.drafting import Seen
from ranker.features.registry import column_kind
from ranker.feed_log.columns import columns_of
from ranker.feed_log.layout import day_folder_name
from ranker.scoring.model import Model
from tests.small_feed_log import EVAL_DAY, FEATURES, TRAIN_DAYS, day_table

ROWS = 600

LIKED, SEEN = "Gefällt mir?", "показы (n)"
"""The columns of the objective `like` and of the feature `impressions`."""

CONFIG = PipelineConfig(
    name="small",
    objectives=(
        Objective("click", tower="passive", utility_weight=1.0),
        Objective("like", tower="active", utility_weight=3.0, column=LIKED),
    ),
    features=replace(
        FEATURES,
        numeric=("age_hours", Numeric("impressions", column=SEEN)),
        ids=(
            HashedId("viewer", buckets=20, dimension=2, column="viewer_id"),
            HashedId("author", buckets=20, dimension=2),
        ),
        exposure=(Exposure("position", default=1.0),),
    ),
    schema="schema.pbtxt",
    train_days=TRAIN_DAYS,
    forest=Forest(trees=30, depth=3, early_stopping_rounds=5),
    towers=Towers(hidden=(16, 8), dense_projection_size=2, cross_rank=4, members=2, forest_share=0.3),
    # With the default decay, so few steps would teach the ids next to nothing.
    training=Training(epochs=4, batch_size=64, learning_rate=1e-2, id_tables=IdTables(decay=0.3)),
)


@dataclass(frozen=True)
class Trained:
    """A model, its config, and the feed log that it was trained on."""

    model: Model
    config: PipelineConfig
    feed_log: Path

    @property
    def held_out(self) -> pa.Table:
        """The rows of the held-out day."""
        return pq.read_table(self.feed_log / day_folder_name(EVAL_DAY))


def write_log(root: Path, rows: int = ROWS) -> None:
    """Four days, in which a click depends on the age and on the topics, and a like on the embedding.

    One like in ten was not observed.
    """
    for back in range(TRAIN_DAYS + 1):
        day = EVAL_DAY - timedelta(days=back)
        folder = root / day_folder_name(day)
        folder.mkdir(parents=True)
        pq.write_table(rows_of(rows, back + 1, day), folder / "part-0.parquet")


def rows_of(rows: int, seed: int, day: date = EVAL_DAY) -> pa.Table:
    """Impressions of a day with their outcomes."""
    rng = np.random.default_rng(seed)
    table = day_table(rows, seed, day)
    age = np.nan_to_num(table["age_hours"].to_numpy().astype(float), nan=1.0)
    content = np.stack(table["content"].to_pylist())
    topics = np.array(["t1" in (one or []) for one in table["topics"].to_pylist()])
    click = rng.random(rows) < 1 / (1 + np.exp(np.log(age) * 1.5 + 0.5 - 2.0 * topics))
    like = rng.random(rows) < 1 / (1 + np.exp(1.5 - 1.5 * content[:, 0] - 0.5 * click))
    outcomes = {
        "click": pa.array(click.astype(np.int8)),
        "like": pa.array(like, mask=rng.random(rows) < 0.1),
        "position": pa.array(np.arange(rows) % 3 + 1),
        "author": pa.array([None if i % 7 == 0 else f"a{i % 5}" for i in range(rows)], pa.string()),
    }
    for name, values in outcomes.items():
        table = table.drop_columns([name]) if name in table.schema.names else table
        table = table.append_column(name, values)
    return table.rename_columns([{"like": LIKED, "impressions": SEEN}.get(name, name) for name in table.schema.names])


def too_large(table: pa.Table, row: int) -> pa.Table:
    """The rows, with an embedding in one of them that its column may hold and the model cannot score."""
    content = np.stack(table["content"].to_pylist()).astype(np.float32)
    content[row] = [3e38, -3e38, 3e38]
    values = pa.FixedSizeListArray.from_arrays(pa.array(content.ravel()), 3)
    return table.set_column(table.schema.get_field_index("content"), "content", values)


def small_config(folder: Path, config: PipelineConfig = CONFIG) -> PipelineConfig:
    """The config with a schema in `folder`."""
    columns = columns_of(
        config.objectives, config.features, config.keys, config.timestamps, config.exploration, rows=config.rows
    )
    schema = schema_pb2.Schema(feature=[column_kind(column.kind).draft(column, Seen()) for column in columns.columns])
    file = folder / "schema.pbtxt"
    file.write_text(text_format.MessageToString(schema))
    return replace(config, schema=str(file))


def train_small(folder: Path) -> Trained:
    """Writes the log and trains the model below `folder`."""
    log = folder / "feed_log"
    write_log(log)
    config = small_config(folder)
    return Trained(ranker.train(config, log, EVAL_DAY, folder / "model"), config, log)
