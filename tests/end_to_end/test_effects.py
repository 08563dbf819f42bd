"""Random effects from day to day, and on their own clock between two days."""

import io
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from rich.console import Console

from components.artifacts import NOT_PUSHED, EffectsUpdateArtifact
from components.effects_updater.component import EffectsUpdater
from components.effects_updater.executor import Executor
from datasets.synthetic import generate
from pipeline.local.effects import update_effects
from pipeline.local.run_summary import DONE, NOT_BLESSED, exit_status
from pipeline.local.workdir import Workdir
from ranker.command_line import UsageError
from ranker.config.columns import HashedId
from ranker.config.effects import EffectLevel, Effects
from ranker.config.retraining import Retraining
from ranker.documents import read_json
from ranker.effects_update.update import SUMMARY_FILE, EffectsSummary
from ranker.registry.layout import EFFECT_STATE, STATE
from ranker.registry.manifest import FittedEffects, Manifest
from ranker.registry.rollback import roll_back
from tests.end_to_end.test_retraining import FIRST, SECOND, START, THIRD, Team, pushed, small_config

pytestmark = pytest.mark.slow

EFFECTS = Effects(
    levels=(
        EffectLevel("viewer_id", inputs=("device",), min_rows=2),
        EffectLevel("author_id", min_rows=2),
        EffectLevel("item_id", min_rows=2),
    ),
    max_loss_growth=0.05,
)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Team:
    """Six days of log, and a first day of training: no model has been pushed before, so there are no effects."""
    folder = tmp_path_factory.mktemp("team")
    generate(folder / "log", days=6, impressions_per_day=1_500, seed=3, start=START)
    small = small_config(folder)
    # The towers read two of the ids as well.
    ids = (HashedId("viewer_id", buckets=500), HashedId("author_id", buckets=200))
    features = replace(small.features, ids=ids)
    config = replace(small, features=features, effects=EFFECTS, retraining=Retraining(start="warm"))
    team = Team(config, folder / "log", Workdir(folder / "workdir"))
    assert exit_status(team.run(FIRST)) == DONE
    return team


@pytest.fixture(scope="module")
def second(team: Team) -> str:
    """The version of the second day."""
    return pushed(team.run(SECOND))


def _effects(manifest: Manifest) -> FittedEffects:
    assert manifest.effects is not None
    return manifest.effects


def _update(team: Team, feed_log: Path | None = None) -> tuple[int, EffectsSummary]:
    out = io.StringIO()
    team.runs += 1
    name = f"update-{team.runs:03d}"
    status = update_effects(team.config, team.workdir, feed_log or team.feed_log, name, Console(file=out, width=300))
    file = team.workdir.run(name) / SUMMARY_FILE
    return status, read_json(EffectsSummary, file.read_text(), str(file))


def test_a_model_has_the_effects_of_days_that_the_models_before_it_had_not_seen(team: Team, second: str) -> None:
    first = team.versions()[-1]
    assert team.manifest(first).effects is None
    found = _effects(team.manifest(second))
    assert found.days == [FIRST.isoformat()]  # the first model was trained on the days before
    assert (found.rows, found.prior, found.update) == (1_500, "", "")
    assert all(count > 10 for count in found.entities.values())
    assert team.manifest(second).input_names["author_id"] == "author_id"


def test_an_update_learns_the_newest_hours_and_leaves_the_model_as_it_is(team: Team, second: str) -> None:
    status, summary = _update(team)

    assert status == DONE, summary.not_pushed
    newest = team.versions()[0]
    assert (summary.serving, Path(str(summary.pushed_model)).name) == (second, newest)
    # The days from the one that the serving model held out; their hours are 72 less the first and last minutes.
    assert summary.impressions == 1_500 * 2
    assert 0 < summary.judged < 1_500
    assert {verdict.part for verdict in summary.verdicts} >= {"all", "viewer_id many", "item_id few"}
    manifest, before = team.manifest(newest), team.manifest(second)
    assert manifest.training_fingerprint == before.training_fingerprint
    assert _effects(manifest).prior == second
    assert _effects(manifest).days == [day.isoformat() for day in (FIRST, SECOND, THIRD)]
    assert _effects(manifest).update
    folders = [Path(team.workdir.push_destination, version) for version in (second, newest)]
    graphs = [(folder / "saved_model.pb").read_bytes() for folder in folders]
    assert graphs[0] == graphs[1]
    variables = [tf.train.load_checkpoint(str(folder / "variables" / "variables")) for folder in folders]
    for name in variables[0].get_variable_to_dtype_map():
        same = np.array_equal(variables[0].get_tensor(name), variables[1].get_tensor(name))
        assert same or name.startswith("_effects/"), name


def test_an_update_without_new_impressions_publishes_nothing(team: Team, second: str) -> None:
    before = team.versions()
    status, summary = _update(team)
    assert (status, summary.pushed_model) == (DONE, None)
    assert "no impressions that are not in the effects already" in str(summary.not_pushed)
    assert team.versions() == before


def test_the_component_of_a_cluster_does_the_same(team: Team, second: str, tmp_path: Path) -> None:
    update = EffectsUpdateArtifact()
    update.uri = str(tmp_path)
    component = EffectsUpdater(team.config, str(team.feed_log), team.workdir.push_destination)
    Executor().Do({}, {"effects_update": [update]}, component.exec_properties)
    summary = read_json(EffectsSummary, (tmp_path / SUMMARY_FILE).read_text(), "summary")
    assert (summary.serving, summary.pushed_model) == (team.versions()[0], None)
    assert summary.not_pushed == update.get_string_custom_property(NOT_PUSHED)
    assert "no impressions that are not in the effects already" in str(summary.not_pushed)


def test_a_rolled_back_update_does_not_come_back_by_itself(team: Team, second: str) -> None:
    done = roll_back(team.workdir.push_destination)
    assert done.republishes == second
    assert _effects(team.manifest(done.version)).update == ""
    status, summary = _update(team)
    assert status == NOT_BLESSED
    assert "a rollback withdrew this update" in str(summary.not_pushed)
    assert team.versions()[0] == done.version


def test_effects_that_are_worse_on_the_newest_hours_are_not_published(team: Team, second: str, tmp_path: Path) -> None:
    """The log says for a while that everybody clicks everything, and then does not."""
    before = team.versions()
    newest_hours = (datetime.combine(THIRD, time(16), UTC)).timestamp() * 1000
    for day in (SECOND, THIRD):
        (tmp_path / f"day-{day}").mkdir()
        for file in (team.feed_log / f"day-{day}").glob("*.parquet"):
            table = pq.read_table(file)
            clicks = np.where(table["timestamp"].to_numpy() < newest_hours, 1, table["click"].to_numpy())
            table = table.set_column(table.schema.get_field_index("click"), "click", pa.array(clicks.astype(np.int8)))
            pq.write_table(table, tmp_path / f"day-{day}" / file.name)
    strong = replace(EFFECTS, levels=tuple(replace(level, intercept_variance=2.0) for level in EFFECTS.levels))
    status, summary = _update(replace(team, config=replace(team.config, effects=strong)), tmp_path)
    assert status == NOT_BLESSED
    assert str(summary.not_pushed).startswith("a gate failed: click, ")
    assert {verdict.objective for verdict in summary.verdicts if verdict.outcome == "refused"} == {"click"}
    # A log with dates only has no newest hours to judge on.
    shutil.rmtree(tmp_path / f"day-{SECOND}")
    for file in (tmp_path / f"day-{THIRD}").glob("*.parquet"):
        table = pq.read_table(file)
        alike = pa.array(np.full(len(table), int(newest_hours)))
        pq.write_table(table.set_column(table.schema.get_field_index("timestamp"), "timestamp", alike), file)
    status, summary = _update(team, tmp_path)
    assert (status, summary.judged) == (NOT_BLESSED, 0)
    assert str(summary.not_pushed).startswith(f"all new impressions have the time {THIRD}T16:00+00:00, so none can be")
    assert team.versions() == before


def test_the_next_day_continues_effects_that_have_not_seen_its_held_out_day(team: Team, second: str) -> None:
    third = pushed(team.run(THIRD))
    found = _effects(team.manifest(third))
    assert found.days == [FIRST.isoformat(), SECOND.isoformat()]
    assert found.rows == 1_500
    assert _effects(team.manifest(found.prior)).days == [FIRST.isoformat()]
    lineage = team.lineage(third)
    assert lineage.start == "warm"


def test_an_update_needs_effects_and_a_model_that_has_them(team: Team, second: str, tmp_path: Path) -> None:
    console = Console(file=io.StringIO())
    with pytest.raises(UsageError, match="has no effects"):
        update_effects(replace(team.config, effects=None), team.workdir, team.feed_log, "none", console)
    other = replace(team.config, effects=Effects((EffectLevel("viewer_id"),)))
    with pytest.raises(UsageError, match="was exported with other effects"):
        update_effects(other, team.workdir, team.feed_log, "other", console)
    with pytest.raises(UsageError, match="no model has been pushed"):
        update_effects(team.config, Workdir(tmp_path), team.feed_log, "empty", console)
    # Somebody has removed the state to save space, and an update was killed.
    thin = Workdir(tmp_path / "thin")
    shutil.copytree(Path(team.workdir.push_destination, second), thin.serving_model / "1")
    shutil.rmtree(thin.serving_model / "1" / STATE / EFFECT_STATE)
    (thin.root / ".effects-killed" / "model").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"the effects of version 1 cannot be updated, .*effects.npz is missing"):
        update_effects(team.config, thin, team.feed_log, "thin", console)
    assert [path.name for path in thin.root.iterdir()] == ["serving_model"]
    assert json.loads((team.workdir.run("run-001") / "summary.json").read_text())["status"] == "complete"
