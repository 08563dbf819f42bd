"""Days that go on from one another: killed anywhere, held up by bad data, rolled back, replayed."""

import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from rich.console import Console
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.orchestration.portable import python_executor_operator

from datasets.synthetic import generate
from pipeline.local.backfill import Backfill, backfill, days_between
from pipeline.local.dag_runner import ComponentRun
from pipeline.local.day_plan import plan_day
from pipeline.local.day_run import prepare, run_day
from pipeline.local.run_summary import DONE, FAILED, NOT_BLESSED, RunSummary, exit_status
from pipeline.local.workdir import Workdir
from pipeline_config import FEED
from ranker.config.columns import Categorical, Features
from ranker.config.forest import Forest as ForestConfig
from ranker.config.gates import Gate, Gates
from ranker.config.pipeline import PipelineConfig
from ranker.config.retraining import Retraining
from ranker.config.towers import Towers
from ranker.config.training import Training
from ranker.evaluation.baseline import Baseline
from ranker.forest.model import Forest
from ranker.registry.layout import STATE
from ranker.registry.manifest import Lineage, Manifest, Republished
from ranker.registry.plan import StartPlan
from ranker.registry.rollback import roll_back
from ranker.registry.same_model import content_digest
from ranker.registry.versions import complete_versions, read_manifest
from tests.end_to_end.conftest import ROOT

pytestmark = pytest.mark.slow

START = date(2026, 3, 2)
FIRST, SECOND, THIRD = (START + timedelta(days=days) for days in (3, 4, 5))


class KilledError(BaseException):
    """What nothing catches, as nothing catches SIGKILL."""


@dataclass
class Team:
    """A feed team with a log, a working folder, and a run every day."""

    config: PipelineConfig
    feed_log: Path
    workdir: Workdir
    runs: int = 0

    def run(self, day: date, kill_at: str = "", refit: bool = False, publish_withdrawn: bool = False) -> RunSummary:
        """Runs a day, or until a component has done its work and nobody knows yet."""

        def on_end(run: ComponentRun) -> None:
            # One from the cache does no work, so it is killed a moment later.
            if run.component == kill_at:
                raise KilledError(kill_at)

        self.runs += 1
        plan = plan_day(self.config, self.workdir, self.feed_log, day, refit, publish_withdrawn)
        with killed_when(kill_at):
            return run_day(prepare(plan), f"run-{self.runs:03d}", lambda component: None, on_end)

    def versions(self) -> list[str]:
        return complete_versions(str(self.workdir.serving_model))

    def manifest(self, version: str) -> Manifest:
        manifest = read_manifest(str(self.workdir.serving_model), version)
        assert manifest is not None
        return manifest

    def lineage(self, version: str) -> Lineage:
        lineage = self.manifest(version).lineage
        assert lineage is not None
        return lineage

    def replay(self, start: date, end: date) -> tuple[int, str]:
        out = io.StringIO()
        task = Backfill(self.config, self.workdir, self.feed_log, days_between(start, end), "replay")
        return backfill(task, Console(file=out, width=120)), out.getvalue()


def small_config(folder: Path) -> PipelineConfig:
    """A few columns of the built-in feed, and a model of no size."""
    features = Features(
        numeric=("hour_local", "viewer_ctr_30d", "item_quality_score", "viewer_topic_match"),
        categorical=(Categorical("device"),),
    )
    objectives = FEED.objectives[:1] + FEED.objectives[2:3]
    used = {*features.names, *(objective.name for objective in objectives)}
    schema = text_format.Parse((ROOT / FEED.schema).read_text(), schema_pb2.Schema())
    kept = [feature for feature in schema.feature if feature.name in used or feature.name == FEED.keys.viewer]
    (folder / "small.pbtxt").write_text(text_format.MessageToString(schema_pb2.Schema(feature=kept)))
    return PipelineConfig(
        name="small",
        objectives=objectives,
        features=features,
        schema=str(folder / "small.pbtxt"),
        slices=(("device",),),
        train_days=3,
        # Stopped early, so that there is room for trees to add.
        forest=ForestConfig(trees=30, depth=2, early_stopping_rounds=2),
        towers=Towers(leaf_embedding_size=4, hidden=(8,)),
        training=Training(batch_size=128),
        retraining=Retraining(start="incremental", refit_forest_days=7),
        gates=Gates(objective=Gate(min_auc=0.5), slice=None),
    )


@contextmanager
def killed_when(component: str) -> Iterator[None]:
    """Kills the run at the end of that component's work, before its outputs are registered."""
    original: Callable[..., Any] = python_executor_operator.run_with_executor

    def work_and_die(execution_info: Any, executor: Any) -> Any:
        result = original(execution_info, executor)
        if execution_info.pipeline_node.node_info.id == component:
            raise KilledError(component)
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(python_executor_operator, "run_with_executor", work_and_die)
        yield


NOTHING = StartPlan("cold", "the summary does not say")


def pushed(summary: RunSummary) -> str:
    """The version that a run pushed."""
    assert summary.pushed_model is not None
    return Path(summary.pushed_model).name


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Team:
    """With six days of log."""
    folder = tmp_path_factory.mktemp("team")
    generate(folder / "log", days=6, impressions_per_day=1_500, seed=3, start=START)
    return Team(small_config(folder), folder / "log", Workdir(folder / "workdir"))


@pytest.fixture(scope="module")
def first(team: Team) -> RunSummary:
    """The summary of the first day."""
    return team.run(FIRST)


@pytest.fixture(scope="module")
def killed(team: Team, first: RunSummary) -> dict[str, list[str]]:
    """The second day, killed at every component in turn: whole versions at the push destination after each."""
    components = [component.component for component in first.components]
    found = {}
    for component in components:
        with pytest.raises(KilledError, match=component):
            team.run(SECOND, kill_at=component)
        found[component] = team.versions()
    return found


@pytest.fixture(scope="module")
def second(team: Team, killed: dict[str, list[str]]) -> RunSummary:
    """The summary of the second day, once it was left in peace."""
    return team.run(SECOND)


def test_the_first_day_is_a_cold_start(team: Team, first: RunSummary) -> None:
    assert exit_status(first) == DONE, first.failure or first.gates
    assert (first.start or NOTHING).start == "cold"
    assert len(first.rows_per_day) == 4
    version = pushed(first)
    assert team.lineage(version).forest_day == FIRST.isoformat()
    state = team.workdir.serving_model / version / STATE
    assert sorted(part.name for part in state.iterdir()) == ["forest", "towers", "transform_graph"]


def test_a_run_killed_at_any_component_leaves_the_serving_model_alone(
    first: RunSummary, killed: dict[str, list[str]]
) -> None:
    serving = pushed(first)
    pushing = list(killed).index("Pusher")
    assert len(killed) == len(first.components)
    for component, versions in killed.items():
        if list(killed).index(component) < pushing:
            assert versions == [serving], component
        else:
            # Killed after the push: the new version is whole, and there is one of it.
            assert len(versions) == 2, component
            assert versions[1] == serving, component


def test_the_next_run_goes_on_from_the_last_finished_component(team: Team, second: RunSummary) -> None:
    assert exit_status(second) == DONE, second.failure or second.gates
    states = {component.component: component.state for component in second.components}
    last = list(states)[-1]
    assert {name: state for name, state in states.items() if name != last} == dict.fromkeys(list(states)[:-1], "cached")
    assert states[last] == "ran"
    assert len(team.versions()) == 2
    assert pushed(second) == team.versions()[0]


def test_the_second_day_goes_on_from_the_first(team: Team, first: RunSummary, second: RunSummary) -> None:
    before, after = (pushed(summary) for summary in (first, second))
    assert ((second.start or NOTHING).start, (second.start or NOTHING).parent) == ("incremental", before)
    days = [(FIRST - timedelta(days=2)).isoformat(), (FIRST - timedelta(days=1)).isoformat()]
    assert list(second.rows_per_day) == [*days, FIRST.isoformat(), SECOND.isoformat()]
    assert second.rows["train"] == first.rows["eval"]
    replayed = [first.rows_per_day[day] for day in days]
    assert second.rows["replay"] == sum(replayed)
    assert team.manifest(after).rows == second.rows["replay"] + second.rows["train"]
    assert team.lineage(after).forest_day == FIRST.isoformat()
    assert team.lineage(after).fisher
    grown, refreshed = (
        Forest.load(str(team.workdir.serving_model / version / STATE / "forest")) for version in (before, after)
    )
    assert refreshed.begins_with(grown)
    assert grown.trees < refreshed.trees <= 30
    assert (refreshed.leaf_cover[: grown.leaves] >= grown.leaf_cover).all()
    assert not np.array_equal(refreshed.leaf_value[: grown.leaves], grown.leaf_value)
    assert team.manifest(after).trees == refreshed.trees
    weights = [(team.workdir.serving_model / version / STATE / "towers" / "towers.npz") for version in (before, after)]
    assert weights[0].read_bytes() != weights[1].read_bytes()


def test_a_replay_takes_finished_days_as_they_are(team: Team, first: RunSummary, second: RunSummary) -> None:
    runs = set(team.workdir.root.glob("runs/*"))
    status, text = team.replay(FIRST, THIRD)
    assert status == DONE, text
    for day, before in ((FIRST, first), (SECOND, second)):
        [line] = [line for line in text.splitlines() if line.startswith(f"{day}  blessed")]
        assert line.endswith(f"  by {before.run_id}")
    assert {run.name for run in set(team.workdir.root.glob("runs/*")) - runs} == {f"replay_{THIRD}"}
    third = RunSummary.from_json((team.workdir.run(f"replay_{THIRD}") / "summary.json").read_text())
    assert (third.start or NOTHING).parent == pushed(second)
    assert len(team.versions()) == 3


def test_a_day_after_a_rollback_goes_on_from_the_earlier_model(team: Team, second: RunSummary) -> None:
    done = roll_back(str(team.workdir.serving_model))
    assert team.manifest(done.version).rollback == Republished(done.republishes, done.instead_of)
    following = plan_day(team.config, team.workdir, team.feed_log, THIRD + timedelta(days=1))
    assert following.start.parent == done.version
    assert following.start.train_days == (THIRD + timedelta(days=1) - SECOND).days


@pytest.fixture(scope="module")
def rolled_back(team: Team, first: RunSummary, second: RunSummary, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """The same team with the models of two days, the second of which was withdrawn, and nothing in the cache."""
    folder = tmp_path_factory.mktemp("rolled_back")
    for version in (pushed(first), pushed(second)):
        shutil.copytree(team.workdir.serving_model / version, folder / "serving_model" / version)
    roll_back(str(folder / "serving_model"))
    return Team(team.config, team.feed_log, Workdir(folder))


@pytest.fixture(scope="module")
def repeated(rolled_back: Team) -> RunSummary:
    """The run of the withdrawn day again, as a scheduler retries it."""
    return rolled_back.run(SECOND)


@pytest.fixture(scope="module")
def requested(rolled_back: Team, repeated: RunSummary) -> RunSummary:
    """The same, with the request to publish it."""
    return rolled_back.run(SECOND, publish_withdrawn=True)


def test_a_withdrawn_day_is_trained_but_not_published_again(
    rolled_back: Team, repeated: RunSummary, first: RunSummary, second: RunSummary
) -> None:
    assert exit_status(repeated) == NOT_BLESSED
    assert repeated.training_fingerprint == second.training_fingerprint
    assert (repeated.blessed, repeated.pushed_model) == (True, None)
    assert (repeated.not_pushed or "").startswith(f"this model served as version {pushed(second)} until a rollback")
    copy, *before = rolled_back.versions()[-3:]
    assert before == [pushed(second), pushed(first)]
    assert rolled_back.manifest(copy).training_fingerprint == first.training_fingerprint
    # It is compared with what serves.
    assert repeated.baseline == Baseline(copy)
    report = Path(repeated.report or "").read_text()
    assert "Blessed but not published" in report
    assert "until a rollback withdrew it" in report


def test_the_request_publishes_it_and_reuses_what_was_trained(
    rolled_back: Team, requested: RunSummary, second: RunSummary
) -> None:
    assert exit_status(requested) == DONE
    states = {component.component: component.state for component in requested.components}
    assert [name for name, state in states.items() if state != "cached"] == ["Pusher", "CalibrationReport"]
    assert rolled_back.versions()[0] == pushed(requested)
    # Bit for bit the model that was withdrawn: the identity of a training stands for its content.
    serving = rolled_back.workdir.serving_model
    assert content_digest(str(serving / pushed(requested))) == content_digest(str(serving / pushed(second)))
    assert exit_status(rolled_back.run(SECOND)) == DONE
    assert rolled_back.versions()[0] == pushed(requested)


def test_a_refit_is_compared_with_what_serves(rolled_back: Team, requested: RunSummary) -> None:
    refitted = rolled_back.run(SECOND, refit=True)
    assert (refitted.start or NOTHING).start == "cold"
    assert refitted.baseline == Baseline(pushed(requested))
    assert refitted.objectives["click"].auc_drop is not None


def test_a_day_that_the_serving_model_was_trained_on_has_another_baseline(
    rolled_back: Team, requested: RunSummary
) -> None:
    """The first day, of which only its own model knows nothing."""
    serving = rolled_back.versions()[0]
    assert FIRST.isoformat() in rolled_back.manifest(serving).trained_days
    again = rolled_back.run(FIRST)
    assert again.baseline == Baseline(
        reason=f"version {serving} was trained on {FIRST}, and there is no earlier version that was not"
    )
    assert again.objectives["click"].auc_drop is None


@pytest.fixture
def bad_day(team: Team, second: RunSummary, tmp_path: Path) -> Team:
    """The same team, with a log and a working folder that may be spoilt."""
    shutil.copytree(team.feed_log, tmp_path / "log")
    shutil.copytree(team.workdir.serving_model, tmp_path / "workdir" / "serving_model")
    return Team(team.config, tmp_path / "log", Workdir(tmp_path / "workdir"))


def test_a_day_that_is_missing_late_empty_or_there_twice_fails_before_anything_is_trained(bad_day: Team) -> None:
    serving = bad_day.versions()
    day, before = bad_day.feed_log / f"day-{THIRD}", bad_day.feed_log / f"day-{SECOND}"
    late = bad_day.feed_log / ".late"

    def fails_with(message: str) -> None:
        summary = bad_day.run(THIRD)
        assert exit_status(summary) == FAILED
        assert summary.failure is not None
        assert summary.failure.component == "FeedLogGen"
        assert message in summary.failure.error
        assert summary.pushed_model is None
        assert bad_day.versions() == serving

    day.rename(late)
    fails_with(f"the eval day {THIRD} has no folder")
    day.mkdir()
    fails_with("needs Parquet files with at least one row")
    (day / "part-0.parquet.tmp").write_bytes(b"half of it")
    fails_with("needs Parquet files with at least one row")
    shutil.copy(next(before.glob("*.parquet")), day / "part-0.parquet")
    fails_with("a copy of")
    shutil.rmtree(day)
    late.rename(day)
    plan = plan_day(bad_day.config, bad_day.workdir, bad_day.feed_log, THIRD)
    assert plan.start.start == "incremental"
