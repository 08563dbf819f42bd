import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.util import examples_utils, tfxio_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import Artifact, standard_artifacts
from tfx_bsl.tfxio import dataset_options

from components.artifacts import DayProfilesArtifact, TrainingStartArtifact
from components.day_profiles import read_profiles
from components.feed_log_gen.executor import Executor
from pipeline.beam import IN_PROCESS
from ranker.config.columns import History, Keys
from ranker.config.documents import to_json
from ranker.config.exploration import Exploration
from ranker.feed_log import planning
from ranker.feed_log.columns import LogColumns, columns_of
from ranker.feed_log.fingerprint import source_fingerprint
from ranker.feed_log.layout import FeedLogError, window_days
from ranker.feed_log.planning import plan_day
from ranker.feed_log.reading import read_unit
from ranker.histories.reading import unit_rows
from ranker.monitoring.profile import DayProfile
from ranker.registry.plan import StartPlan, write_plan
from tests.ranker.feed_log.conftest import WriteDay
from tests.small_feed_log import EVAL_DAY, FEATURES, OBJECTIVES, TRAIN_DAYS, day_table, replaced


def run(
    tmp_path: Path,
    columns: LogColumns,
    start: StartPlan | None = None,
    profiles: DayProfilesArtifact | None = None,
    **changed: Any,
) -> standard_artifacts.Examples:
    examples = standard_artifacts.Examples()
    examples.uri = str(tmp_path / "examples")
    inputs = {}
    if start is not None:
        artifact = TrainingStartArtifact()
        artifact.uri = str(tmp_path / "start")
        (tmp_path / "start").mkdir()
        write_plan(artifact.uri, start)
        inputs["training_start"] = [artifact]
    context = base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=[f"--runner={IN_PROCESS}", "--sdk_container_image=none"]
    )
    properties = {
        "feed_log": str(tmp_path / "log"),
        "eval_day": EVAL_DAY.isoformat(),
        "train_days": TRAIN_DAYS,
        "columns": to_json(columns),
        "source_fingerprint": "f00d",
    }
    outputs: dict[str, list[Artifact]] = {"examples": [examples]}
    if profiles is not None:
        outputs["profiles"] = [profiles]
    Executor(context).Do(inputs, outputs, properties | changed)
    return examples


def read(examples: standard_artifacts.Examples, split: str) -> list[dict[str, list[Any]]]:
    """The rows of a split, in the order of the shards, as feature → values."""
    paths = sorted(Path(examples.path(split=split)).iterdir())
    rows = []
    for record in tf.data.TFRecordDataset([str(path) for path in paths]):
        features = tf.train.Example.FromString(record.numpy()).features.feature
        # A feature without a list is a missing value, like an absent feature.
        kinds = {name: feature.WhichOneof("kind") for name, feature in features.items()}
        rows.append({name: list(getattr(features[name], kind).value) for name, kind in kinds.items() if kind})
    return rows


def earlier(days_back: int) -> pa.Table:
    """What the fixture `feed_log` has for a day."""
    return day_table(40 + 10 * days_back, days_back, EVAL_DAY - timedelta(days=days_back))


def expected(table: pa.Table) -> list[dict[str, list[Any]]]:
    """The expected features of each row, computed cell by cell from the contract."""
    rows = []
    for row in table.to_pylist():
        texts = {
            "session_id": row["session_id"],
            "viewer_id": str(row["viewer_id"]),
            "item_id": row["item_id"],
            "device": row["device"],
            "cohort": str(row["cohort"]),
        }
        example: dict[str, list[Any]] = {name: [text.encode()] for name, text in texts.items() if text is not None}
        for name in ("age_hours", "impressions"):
            if row[name] is not None:
                example[name] = [float(np.float32(row[name]))]
        if row["topics"]:
            example["topics"] = [topic.encode() for topic in row["topics"]]
        example["content"] = row["content"]
        example["timestamp"] = [round(row["timestamp"].timestamp() * 1000)]
        rows.append(example | {name: [int(row[name])] for name in ("click", "like")})
    return rows


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MIN_SHARD_ROWS", 15)


@pytest.mark.slow
@pytest.mark.usefixtures("feed_log", "small_shards")
def test_examples_are_the_rows_of_the_log(tmp_path: Path, columns: LogColumns) -> None:
    examples = run(tmp_path, columns)
    assert read(examples, "eval") == expected(day_table(40))
    train = [row for seed in (3, 2, 1) for row in expected(earlier(seed))]
    assert read(examples, "train") == train

    names = sorted(path.name for path in Path(examples.path(split="eval")).iterdir())
    assert names == [f"data_tfrecord-{i:05d}-of-00003" for i in range(3)]
    assert sorted(path.name for path in tmp_path.joinpath("examples").iterdir()) == ["Split-eval", "Split-train"]


@pytest.mark.slow
def test_examples_say_which_positions_were_random(tmp_path: Path, write_day: WriteDay) -> None:
    for days_back in (0, 1):
        table = day_table(9, days_back, EVAL_DAY - timedelta(days=days_back))  # three sessions of three
        table = table.append_column("shuffled", pa.array([0, 0, 0, 1, 1, 1, 0, 0, 0], pa.int8()))
        write_day(days_back, table.append_column("chance", pa.array([*[None] * 3, *[1 / 3] * 3, *[None] * 3])))
    explored = Exploration(randomised="shuffled", propensity="chance")
    examples = run(tmp_path, columns_of(OBJECTIVES, FEATURES, Keys(), exploration=explored), train_days=1)
    for split, days_back in (("eval", 0), ("train", 1)):
        rows = read(examples, split)
        assert [row.pop("shuffled") for row in rows] == [[0]] * 3 + [[1]] * 3 + [[0]] * 3
        chances = [row.pop("chance", None) for row in rows]
        assert chances == [None] * 3 + [[float(np.float32(1 / 3))]] * 3 + [None] * 3
        assert rows == expected(day_table(9, days_back, EVAL_DAY - timedelta(days=days_back)))


@pytest.mark.slow
@pytest.mark.usefixtures("feed_log")
def test_the_artifact_has_its_properties(tmp_path: Path, columns: LogColumns) -> None:
    examples = run(tmp_path, columns, train_days=5)
    assert examples.splits == ["train", "eval"]
    assert examples.span == 19786
    assert examples_utils.get_payload_format_string(examples) == "FORMAT_TF_EXAMPLE"
    assert json.loads(examples.get_string_custom_property("rows_per_day")) == {
        "2024-03-01": 70,
        "2024-03-02": 60,
        "2024-03-03": 50,
        "2024-03-04": 40,
    }
    assert examples.get_int_custom_property("train_rows") == 180
    assert examples.get_int_custom_property("eval_rows") == 40
    assert examples.get_string_custom_property("missing_days") == "2024-02-28,2024-02-29"
    assert examples.get_string_custom_property("source_fingerprint") == "f00d"


@pytest.mark.slow
@pytest.mark.usefixtures("small_shards")
def test_examples_have_the_histories_of_earlier_days(feed_log: Path, tmp_path: Path) -> None:
    history = History("devices", of="device", actions=("like",), length=4, days=2)
    columns = columns_of(OBJECTIVES, replace(FEATURES, history=(history,)), Keys())
    profiles = DayProfilesArtifact()
    profiles.uri = str(tmp_path / "profiles")
    # The day before the only train day is in no split: it is profiled, and other days' histories are computed from it.
    plan = StartPlan("warm", "", "7", 1)
    examples = run(tmp_path, columns, plan, profiles, source_fingerprint="")
    for split, days_back in (("train", 1), ("eval", 0)):
        units = plan_day(feed_log, EVAL_DAY - timedelta(days=days_back), columns)
        table = pa.Table.from_batches(list(unit_rows(feed_log, units, columns)))
        found = [row.get("devices") for row in read(examples, split)]
        assert found == table.column("devices").to_pylist()
        assert max(len(items or []) for items in found) == 4
    read_back = read_profiles(profiles.uri)
    day = EVAL_DAY - timedelta(days=3)
    assert read_back[day].features["devices"].missing == 70  # nothing is known before the log begins
    assert read_back[EVAL_DAY].features["devices"].missing < 20
    # The content of the two days before the window counts, too.
    window = window_days(EVAL_DAY, TRAIN_DAYS + 2)
    assert examples.get_string_custom_property("source_fingerprint") == source_fingerprint(feed_log, window)


@pytest.mark.slow
@pytest.mark.usefixtures("feed_log", "small_shards")
@pytest.mark.parametrize("start", [None, StartPlan("warm", "", "7", 1), StartPlan("warm", "", "7", 1, replay_days=1)])
def test_the_profiles_are_of_the_same_days_whatever_the_start(
    tmp_path: Path, columns: LogColumns, start: StartPlan | None
) -> None:
    profiles = DayProfilesArtifact()
    profiles.uri = str(tmp_path / "profiles")
    (tmp_path / "profiles").mkdir()
    examples = run(tmp_path, columns, start, profiles)
    found = read_profiles(profiles.uri)
    assert {day: profile.rows for day, profile in found.items()} == {
        EVAL_DAY - timedelta(days=back): 40 + 10 * back for back in (3, 2, 1, 0)
    }
    for day, profile in found.items():
        alone = DayProfile(columns.columns)
        for unit in planning.plan_day(tmp_path / "log", day, columns):
            for batch in read_unit(unit, columns.columns):
                alone.add(batch)
        for name, feature in profile.features.items():
            assert feature.missing == alone.features[name].missing
            assert feature.counts.tolist() == alone.features[name].counts.tolist()
        assert set(profile.features) == set(alone.features) == set(FEATURES.names)
    trained = examples.get_int_custom_property("train_rows")
    assert trained == (180 if start is None else 50)


@pytest.mark.slow
@pytest.mark.usefixtures("feed_log")
def test_rows_of_another_day_are_a_property_or_an_error(
    tmp_path: Path, columns: LogColumns, write_day: WriteDay
) -> None:
    good = run(tmp_path / "good", columns, feed_log=str(tmp_path / "log"))
    assert good.get_string_custom_property("feed_log_warnings") == ""
    table = earlier(1)
    late = table["timestamp"].to_numpy().copy()
    late[17] += np.timedelta64(3, "D")
    path = write_day(1, replaced(table, "timestamp", pa.array(late)))
    examples = run(tmp_path / "warned", columns, feed_log=str(tmp_path / "log"))
    warning = examples.get_string_custom_property("feed_log_warnings")
    assert warning.startswith(f"{path}: timestamp column 'timestamp': 1 of the 50 rows of the day is outside of 2024-")
    assert "the first in row 17: " in warning
    write_day(1, replaced(table, "timestamp", table["timestamp"].cast(pa.int64())))
    with pytest.raises(FeedLogError, match=r"all 50 rows of the day .*, which looks like microseconds since 1970"):
        run(tmp_path / "refused", columns, feed_log=str(tmp_path / "log"))
    assert not (tmp_path / "refused" / "examples").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("feed_log", "small_shards")
def test_repeated_impressions_are_a_property(
    tmp_path: Path, columns: LogColumns, write_day: WriteDay, caplog: pytest.LogCaptureFixture
) -> None:
    profiles = DayProfilesArtifact()
    profiles.uri = str(tmp_path / "profiles")
    write_day(1, earlier(1), "part-attempt-2.parquet", row_group_size=10)
    write_day(2, pa.concat_tables([earlier(2), earlier(2).slice(0, 25)]))
    examples = run(tmp_path, columns, StartPlan("warm", "", "7", 1, replay_days=1), profiles)
    warning = examples.get_string_custom_property("feed_log_warnings")
    assert warning == (
        f"{tmp_path}/log/day-2024-03-02: 25 of the 85 rows repeat another row of the day in 'session_id', 'item_id' "
        "and 'timestamp'; such an impression counts once for each of its rows (and 1 more such day)"
    )
    assert warning in caplog.messages
    assert examples.get_int_custom_property("train_rows") == 100
    assert sorted(path.name for path in tmp_path.joinpath("examples").iterdir()) == [
        "Split-eval",
        "Split-replay",
        "Split-train",
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("feed_log")
@pytest.mark.parametrize(("train_days", "replayed"), [(3, [3, 2]), (2, [2])])
def test_a_later_day_has_days_to_replay_within_the_window(
    tmp_path: Path, columns: LogColumns, train_days: int, replayed: list[int]
) -> None:
    examples = run(tmp_path, columns, StartPlan("warm", "", "7", 1, replay_days=5), train_days=train_days)
    assert examples.splits == ["replay", "train", "eval"]
    assert read(examples, "replay") == [row for seed in replayed for row in expected(earlier(seed))]
    assert read(examples, "train") == expected(earlier(1))
    assert examples.get_int_custom_property("replay_rows") == sum(40 + 10 * seed for seed in replayed)
    assert examples.get_int_custom_property("train_rows") == 50
    days = [*(f"2024-03-{4 - seed:02}" for seed in replayed), "2024-03-03", "2024-03-04"]
    assert list(json.loads(examples.get_string_custom_property("rows_per_day"))) == days


@pytest.mark.slow
@pytest.mark.usefixtures("feed_log")
def test_tfx_reads_it(tmp_path: Path, columns: LogColumns) -> None:
    examples = run(tmp_path, columns)
    schema = text_format.Parse(
        """
        feature { name: "content" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 3 } } }
        feature { name: "topics" type: BYTES }
        """,
        schema_pb2.Schema(),
    )
    dataset_factory = tfxio_utils.get_tf_dataset_factory_from_artifact([examples], telemetry_descriptors=["test"])
    options = dataset_options.TensorFlowDatasetOptions(batch_size=100, shuffle=False, num_epochs=1)
    (batch,) = dataset_factory([f"{examples.path(split='eval')}/*"], options, schema)
    table = day_table(40)
    np.testing.assert_array_equal(batch["content"].numpy(), np.array(table["content"].to_pylist(), np.float32))
    assert [t.decode() for t in batch["topics"].values.numpy()] == [
        t for row in table["topics"].to_pylist() for t in row or []
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("feed_log", "small_shards")
def test_bad_values_fail_the_run_with_the_oldest_row(tmp_path: Path, write_day: WriteDay, columns: LogColumns) -> None:
    ids = [f"i{i}" for i in range(50)]
    write_day(0, replaced(day_table(40), "content", pa.array([[1.0, 2.0]] * 40)))
    path = write_day(1, replaced(earlier(1), "item_id", pa.array([*ids[:33], None, *ids[34:]])))
    with pytest.raises(FeedLogError) as raised:
        run(tmp_path, columns)
    assert str(raised.value) == (
        f"{path}: id column 'item_id', row 33: null; every impression needs a key "
        "(and 1 more parts of the feed log with a problem)"
    )


@pytest.mark.usefixtures("feed_log", "small_shards")
def test_a_note_that_cannot_be_written_does_not_hide_the_problem(
    tmp_path: Path, write_day: WriteDay, columns: LogColumns, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = fileio.open

    def refuse(path: str, mode: str = "r") -> Any:
        if "problem-" in path:
            raise PermissionError(13, "Permission denied", path)
        return opened(path, mode)

    monkeypatch.setattr(fileio, "open", refuse)
    path = write_day(0, replaced(day_table(40), "content", pa.array([[1.0, 2.0]] * 40)))
    with pytest.raises(Exception, match=f"{path}: dense column 'content', row 0: an embedding of 2 numbers"):
        run(tmp_path, columns)


@pytest.mark.usefixtures("feed_log")
def test_problems_in_the_footers_are_raised_before_anything_is_written(
    tmp_path: Path, write_day: WriteDay, columns: LogColumns
) -> None:
    write_day(0, replaced(day_table(40), "device", pa.array([[1.5]] * 40)))
    with pytest.raises(
        FeedLogError, match="categorical column 'device' is list<element: double>; accepted are string, binary"
    ):
        run(tmp_path, columns)
    assert not (tmp_path / "examples").exists()


@pytest.mark.usefixtures("feed_log")
def test_a_day_in_another_format_is_refused(tmp_path: Path, columns: LogColumns) -> None:
    with pytest.raises(ValueError, match=r"day: '04\.03\.2024' is neither YYYY-MM-DD nor a timestamp"):
        run(tmp_path, columns, eval_day="04.03.2024")
