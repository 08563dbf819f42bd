"""The command, with a training in place of the real one that takes milliseconds, and one that is real."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import optuna
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pipeline_config
from pipeline.tune import search as searching
from pipeline.tune.cli import _print_proposal, main
from pipeline.tune.days import tuning_days
from pipeline.tune.search import Gain
from pipeline.tune.space import space_of
from ranker.config.columns import History
from ranker.config.pipeline import PipelineConfig
from ranker.config.rows import Rows
from ranker.evaluation.intervals import Estimate
from ranker.feed_log.layout import day_folder_name
from ranker.feed_log.reading import LocatedRows
from ranker.forest.curve import TrainingCurve
from ranker.towers.loss_watch import TrainingDivergedError
from tests.ranker.evaluation import handmade
from tests.ranker.trained import CONFIG, small_config, write_log
from tests.small_feed_log import EVAL_DAY, TRAIN_DAYS


@dataclass
class Trainings:
    """What was trained in place of a real training.

    Attributes:
        diverging: tells the config and the day of trainings that diverge.
    """

    days: list[date]
    configs: list[PipelineConfig]
    killed_at: int = -1
    diverging: Callable[[PipelineConfig, date], bool] = lambda config, day: False


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Trainings:
    """Trainings whose forests are the better the deeper they are; the sums are those of a simulated model."""
    found = Trainings([], [])
    write_log(tmp_path / "log", rows=30)
    config = replace(small_config(tmp_path), name="small")
    monkeypatch.setattr(pipeline_config, "CONFIGS", {"small": config})

    def training(
        config: PipelineConfig,
        feed_log: str,
        day: date,
        folder: str,
        rows: Path,
        on_forest: Callable[[TrainingCurve], None],
    ) -> None:
        found.days.append(day)
        found.configs.append(config)
        if len(found.days) == found.killed_at:
            raise KeyboardInterrupt
        if found.diverging(config, day):
            raise TrainingDivergedError("towers: the loss is NaN")
        on_forest(TrainingCurve((), (1.0 / config.forest.depth,), 1, {}))

    def sums(model: PipelineConfig, tables: Any, baseline: PipelineConfig | None = None) -> Any:
        return model if baseline is None else (model, baseline)

    monkeypatch.setattr(searching, "run_training", training)
    monkeypatch.setattr(searching, "load_model", lambda folder: found.configs[-1])
    monkeypatch.setattr(searching, "accumulated", sums)
    monkeypatch.setattr(searching, "judged_objectives", lambda sums: ("click",))
    monkeypatch.setattr(searching, "mean_entropy", lambda config, names: 1.0 / config.forest.depth)
    monkeypatch.setattr("pipeline.tune.cli._print_proposal", lambda *_: None)
    return found


def tune(tmp_path: Path, trials: int, *others: str) -> int:
    log = str(tmp_path / "log")
    return main(["--config", "small", "--feed-log", log, "--trials", str(trials), "--workdir", str(tmp_path), *others])


def study(tmp_path: Path) -> optuna.Study:
    [journal] = tmp_path.glob("tune/*/journal.log")
    backend = optuna.storages.journal.JournalFileBackend(str(journal))
    return optuna.load_study(study_name="tune", storage=optuna.storages.JournalStorage(backend))


def test_the_first_trial_is_the_config_as_it_is_and_the_evaluated_day_is_never_trained_for(
    trainings: Trainings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune(tmp_path, 8) == 0
    assert trainings.configs[0] == pipeline_config.CONFIGS["small"]
    search, confirm = EVAL_DAY - timedelta(days=TRAIN_DAYS - 1), EVAL_DAY - timedelta(days=1)
    assert set(trainings.days) == {search}
    printed = capsys.readouterr().out
    assert f"{confirm}, which no trial sees; {EVAL_DAY} is not read" in printed
    assert "trial 0 (1 of 8): 0.3333, best 0.3333 (trial 0)" in printed
    assert "the current config" in printed
    assert study(tmp_path).best_trial.params["forest.depth"] == 6
    study(tmp_path).enqueue_trial({"forest.depth": 3})
    assert tune(tmp_path, 9) == 0
    assert study(tmp_path).trials[-1].state is optuna.trial.TrialState.PRUNED
    assert "trial 8 (9 of 9): pruned after 1 of 2 steps" in capsys.readouterr().out


def test_a_killed_search_continues_and_repeats_no_finished_trial(
    trainings: Trainings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainings.killed_at = 4
    assert tune(tmp_path, 6) == 130
    assert "interrupted; the same command continues" in capsys.readouterr().err
    killed = trainings.configs[-1]
    assert tune(tmp_path, 6) == 0
    assert "continued: 3 trials are finished" in capsys.readouterr().out
    assert trainings.configs[4] == killed
    assert len(trainings.configs) == 7
    assert tune(tmp_path, 6) == 0
    assert len(trainings.configs) == 7


def test_a_training_that_diverges_prunes_its_trial_and_ends_a_comparison_in_one_line(
    trainings: Trainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.tune.cli._print_proposal", _print_proposal)
    current, confirm = pipeline_config.CONFIGS["small"], EVAL_DAY - timedelta(days=1)
    trainings.diverging = lambda config, day: config != current and (config.forest.depth == 3 or day == confirm)
    assert tune(tmp_path, 8) == 2
    assert {trial.state.name for trial in study(tmp_path).trials} == {"COMPLETE", "PRUNED"}
    assert capsys.readouterr().err == f"error: the best trial, for {confirm}: towers: the loss is NaN\n"
    trainings.diverging = lambda config, day: config == current
    assert tune(tmp_path, 8, "--only", "forest") == 2
    assert capsys.readouterr().err == "error: the current config: towers: the loss is NaN\n"


def test_a_process_that_was_killed_without_notice_leaves_its_trial_to_the_next(
    trainings: Trainings, tmp_path: Path
) -> None:
    assert tune(tmp_path, 2) == 0
    left = study(tmp_path).ask()
    [folder] = tmp_path.glob("tune/*")
    (folder / "model-of-the-killed").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (folder / "model-stored-elsewhere").symlink_to(tmp_path / "elsewhere")
    left.suggest_int("forest.depth", 3, 6)
    assert tune(tmp_path, 3) == 0
    assert trainings.configs[2].forest.depth == left.params["forest.depth"]
    assert not list(folder.glob("model-*"))
    assert (tmp_path / "elsewhere").exists()
    trials = study(tmp_path).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE"]


def test_another_config_begins_a_search_of_its_own(
    trainings: Trainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tune(tmp_path, 1, "--only", "forest") == 0
    assert tune(tmp_path, 1, "--only", "forest", "--only", "towers") == 0
    config = pipeline_config.CONFIGS["small"]
    monkeypatch.setitem(pipeline_config.CONFIGS, "small", replace(config, train_days=2))
    assert tune(tmp_path, 1, "--only", "forest") == 0
    assert len(list(tmp_path.glob("tune/*/journal.log"))) == 3


def test_another_schema_or_code_begins_a_search_of_its_own(
    trainings: Trainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tune(tmp_path, 1) == 0
    schema = Path(pipeline_config.CONFIGS["small"].schema)
    schema.write_text(schema.read_text() + "\n")
    assert tune(tmp_path, 1) == 0
    monkeypatch.setattr("pipeline.tune.cli.code_fingerprint", lambda *modules: "c0de")
    assert tune(tmp_path, 1) == 0
    assert len(list(tmp_path.glob("tune/*/journal.log"))) == 3


def test_trials_are_judged_with_the_histories_that_the_log_lacks(
    trainings: Trainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = pipeline_config.CONFIGS["small"]
    cohorts = History("cohorts", of="cohort", actions=("like",))
    with_history = replace(CONFIG, features=replace(CONFIG.features, history=(cohorts,)))
    kept = Rows(where=[("cohort", "!=", 3)])
    config = replace(small_config(tmp_path, with_history), rows=kept)
    monkeypatch.setitem(pipeline_config.CONFIGS, "small", config)
    judged: list[pa.RecordBatch] = []

    def sums(model: PipelineConfig, tables: Iterator[LocatedRows]) -> PipelineConfig:
        judged.extend(table.rows for table in tables)
        return model

    monkeypatch.setattr(searching, "accumulated", sums)
    assert tune(tmp_path, 1) == 0
    [table] = judged
    assert set(table.column("cohort").to_pylist()) == {0, 1, 2}
    [before] = (tmp_path / "log" / day_folder_name(trainings.days[0] - timedelta(days=1))).iterdir()
    shown = pq.read_table(before, filters=[("cohort", "!=", 3)]).column("viewer_id").to_pylist()
    assert [len(history or []) for history in table.column("cohorts").to_pylist()] == [
        shown.count(viewer) for viewer in table.column("viewer_id").to_pylist()
    ]


def test_a_config_without_a_forest_is_searched_for_its_towers_alone(
    trainings: Trainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = pipeline_config.CONFIGS["small"]
    config = replace(
        config,
        forest=replace(config.forest, trees=0),
        towers=replace(config.towers, forest_share=0.0),
        training=replace(config.training, distillation=0.0),
    )
    monkeypatch.setitem(pipeline_config.CONFIGS, "small", config)
    assert [setting.path for setting in space_of(config)] == [
        *("towers.hidden", "towers.dropout", "training.learning_rate")
    ]
    assert tune(tmp_path, 4) == 0
    assert {one.forest for one in trainings.configs} == {config.forest}
    assert {one.towers.forest_share + one.training.distillation for one in trainings.configs} == {0.0}
    assert tune(tmp_path, 1, "--only", "forest") == 2
    assert "error: --only forest: config 'small' has no such setting to search" in capsys.readouterr().err


def test_the_proposal_is_a_diff_with_the_gain_and_its_interval(
    trainings: Trainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    config = small_config(tmp_path)
    better = replace(config, forest=replace(config.forest, depth=5))

    class Found:
        best, current = (7, 0.81, better), 0.83

        def gain(self) -> Gain:
            return Gain(Estimate(-0.02, -0.03, -0.01), handmade.compared())

    days = tuning_days([date(2026, 5, day) for day in range(1, 6)], date(2026, 5, 5), 2)
    _print_proposal(Found(), config, "small", days)  # type: ignore[arg-type]
    printed = capsys.readouterr().out
    assert "best: trial 7, mean normalized entropy 0.8100; the current config 0.8300" in printed
    assert (
        "on 2026-05-04 (no trial was judged by it): change of the mean normalized entropy -0.0200 [-0.0300, -0.0100]"
        in printed
    )
    assert "\nsignificantly better\n" in printed
    assert printed.endswith(
        "--- pipeline_config.py, config small\n+++ proposed\n"
        "-    forest=Forest(trees=30, depth=3, early_stopping_rounds=5),\n"
        "+    forest=Forest(trees=30, depth=5, early_stopping_rounds=5),\n"
    )


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (["--config", "other"], "--config other: pipeline_config.py has small"),
        (["--feed-log", "nowhere"], "--feed-log nowhere: there is no such folder"),
        (["--day", "2024-03-02"], "the log has 1 day before the evaluated day 2024-03-02"),
    ],
)
@pytest.mark.usefixtures("trainings")
def test_what_cannot_be_searched_is_one_line(
    changed: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune(tmp_path, 1, *changed) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.usefixtures("trainings")
def test_without_optuna_the_command_to_install_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert tune(tmp_path, 1) == 2
    assert capsys.readouterr().err == "error: optuna is not installed; install it with: uv sync --extra tune\n"
