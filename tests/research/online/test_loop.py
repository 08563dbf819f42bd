"""The loop: days are ranked, shown and logged, and a stopped loop continues; ours runs the pipeline."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as parquet
import pytest
from rich.console import Console

from pipeline.local.workdir import Workdir
from pipeline_config import FIRST_PASS
from ranker.feed_log.layout import list_days
from ranker.feed_log.writing import day_folder
from ranker.registry.versions import complete_versions
from research.online.arms import CONTROL, POSSIBLE
from research.online.behaviours import BEHAVIOURS
from research.online.loop import FIRST_DAYS, Loop, config_of, run_loop
from research.online.results import OnlineResults
from research.quality.names import FORMER, OURS, WITH_EFFECTS

DAYS = 1
ROWS = 3_000


def test_one_of_our_arms_has_effects() -> None:
    assert config_of(OURS, FIRST_PASS) == FIRST_PASS
    assert config_of(OURS, config_of(WITH_EFFECTS, FIRST_PASS)) == FIRST_PASS
    with_effects = config_of(WITH_EFFECTS, FIRST_PASS)
    assert with_effects.effects is not None
    assert replace(with_effects, effects=None) == FIRST_PASS


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Loop:
    config = replace(FIRST_PASS, forest=replace(FIRST_PASS.forest, trees=18))
    return Loop(config, BEHAVIOURS["default"], ROWS, DAYS, (FORMER, OURS), tmp_path_factory.mktemp("loop"))


@pytest.fixture(scope="module")
def results(loop: Loop) -> OnlineResults:
    return run_loop(loop, [1], Console(quiet=True))


@pytest.mark.slow
def test_every_arm_ranks_the_same_sessions(results: OnlineResults) -> None:
    [seed] = results.seeds
    assert {len(values) for values in seed.values()} == {results.sessions}
    assert results.share_of_possible_gain(POSSIBLE).value == 1
    assert results.utility_over(OURS, CONTROL).value != 1
    assert results.utility_over(FORMER, CONTROL).value != 1


@pytest.mark.slow
def test_a_trained_arm_logs_what_it_showed(loop: Loop, results: OnlineResults) -> None:
    logs = [loop.folder(1, name) / "log" for name in (FORMER, OURS)]
    days = list_days(logs[0])
    assert len(days) == FIRST_DAYS + DAYS
    assert list_days(logs[1]) == days
    first, second = (parquet.read_table(day_folder(log, days[-1])) for log in logs)
    assert first.num_rows == second.num_rows == ROWS
    same = np.array(first["item_id"]) == np.array(second["item_id"])
    explored = first["is_randomised"].to_numpy() == 1
    assert same[explored].all()
    assert not same[~explored].all()


@pytest.mark.slow
def test_ours_is_the_pipelines_run_of_the_newest_day(loop: Loop, results: OnlineResults) -> None:
    workdir = Workdir(loop.folder(1, OURS) / "workdir")
    assert len(list(workdir.root.glob("runs/*/summary.json"))) == DAYS
    assert len(complete_versions(str(workdir.serving_model))) <= DAYS


@pytest.mark.slow
def test_a_finished_day_is_not_ranked_again(loop: Loop, results: OnlineResults) -> None:
    files = {file: file.stat().st_mtime_ns for file in loop.work.rglob("engagement/*.npy")}
    assert len(files) == DAYS * len(results.arms)
    again = run_loop(loop, [1], Console(quiet=True))
    assert {file: file.stat().st_mtime_ns for file in files} == files
    np.testing.assert_array_equal(again.seeds[0][OURS], results.seeds[0][OURS])
