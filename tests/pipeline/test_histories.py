"""The command that writes histories for a feature store, on a log of four impressions."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pipeline_config
from pipeline.histories import main
from ranker.config.columns import EmbeddingHistory, Features, History
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.feed_log.columns import columns_of
from ranker.feed_log.planning import plan_day
from ranker.histories.reading import unit_rows
from tests.small_feed_log import FEATURES, OBJECTIVES, day_table

DAYS = (date(2024, 3, 3), date(2024, 3, 4), date(2024, 3, 5))


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> PipelineConfig:
    features = Features(
        numeric=FEATURES.numeric,
        categorical=FEATURES.categorical,
        dense=FEATURES.dense,
        history=(
            History("cohorts", of="cohort", actions=OBJECTIVES),
            EmbeddingHistory("contents", of="content", actions=("like",), size=3),
        ),
    )
    objectives = tuple(Objective(name, tower="passive") for name in OBJECTIVES)
    config = PipelineConfig(name="small", objectives=objectives, features=features, schema="small.pbtxt")
    monkeypatch.setattr(pipeline_config, "CONFIGS", {"small": config, "none": _without(config)})
    return config


def _without(config: PipelineConfig) -> PipelineConfig:
    return PipelineConfig(name="none", objectives=config.objectives, features=FEATURES, schema="small.pbtxt")


def test_a_client_gets_the_histories_that_the_pipeline_computes(
    tmp_path: Path, config: PipelineConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    for seed, day in enumerate(DAYS):
        (log / f"day-{day}").mkdir(parents=True)
        pq.write_table(day_table(60, seed, day), log / f"day-{day}" / "part-0.parquet")
    file = tmp_path / "histories.parquet"
    arguments = ["--config", "small", "--feed-log", str(log), "--output", str(file)]
    assert main([*arguments, "--day", str(DAYS[2])]) == 0
    assert "the histories of 9 viewers for 2024-03-05" in capsys.readouterr().out
    stored = {row.pop("viewer_id"): row for row in pq.read_table(file).to_pylist()}
    assert sorted(stored) == list(range(9))
    columns = columns_of(OBJECTIVES, config.features, config.keys)
    rows = pa.Table.from_batches(list(unit_rows(log, plan_day(log, DAYS[2], columns), columns))).to_pylist()
    for row in rows:
        assert {name: row[name] for name in ("cohorts", "contents")} == stored[int(row["viewer_id"][0])]
    # The day after the newest, whose impressions come last.
    assert main(arguments) == 0
    assert sum(len(row["cohorts"]) for row in pq.read_table(file).to_pylist()) == 180


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--config", "none"], "config 'none': it has no features.history"),
        (["--config", "small"], "needs at least one folder named day-YYYY-MM-DD"),
        (["--config", "small", "--day", "2024-03-05"], "it has no impressions that histories for 2024-03-05"),
    ],
)
def test_a_command_that_cannot_be_used(
    tmp_path: Path, config: PipelineConfig, capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str
) -> None:
    (tmp_path / "log").mkdir()
    output = tmp_path / "histories.parquet"
    assert main([*arguments, "--feed-log", str(tmp_path / "log"), "--output", str(output)]) == 2
    assert problem in capsys.readouterr().err
    assert not output.exists()
