"""Every change of an input or an output of the newest finished run leads to a full run."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.local import day_plan
from pipeline.local.day_plan import DayPlan, plan_day
from pipeline.local.metrics_summary import ObjectiveSummary
from pipeline.local.run_summary import ComponentSummary, Failure, MonitoringSummary, RunSummary, write_summary
from pipeline.local.unchanged import FinishedRun, forget, remember, repeat_finished
from pipeline.local.workdir import Workdir
from pipeline.training_plan import parts_of
from pipeline.worker_processes import WorkerProcesses
from pipeline_config import CONFIGS, FEED
from ranker.config.effects import EffectLevel, Effects
from ranker.config.examination import Examination
from ranker.config.forest import Forest
from ranker.config.gates import Gates
from ranker.config.kubeflow import Kubeflow
from ranker.config.monitoring import Monitoring
from ranker.config.pipeline import PipelineConfig
from ranker.config.retention import Retention
from ranker.config.retraining import Retraining
from ranker.config.rows import Rows
from ranker.config.serving import Serving
from ranker.config.timestamps import Timestamps
from ranker.config.towers import Towers
from ranker.config.training import Training
from ranker.config.utility import Utility
from ranker.config.validation import Validation
from ranker.documents import read_json, write_json
from ranker.feed_log.writing import day_folder
from ranker.identity.code import PROJECT_ROOT, import_closure
from ranker.registry.layout import MANIFEST
from ranker.registry.manifest import Lineage, Manifest
from ranker.registry.rollback import roll_back
from ranker.registry.withdrawal import withdraw
from tests.object_store import ObjectStore
from tests.ranker.registry.test_versions import of_training, push

DAY = date(2026, 3, 9)
BEFORE = DAY - timedelta(days=1)
FINISHED, AGAIN = "2026-03-10T06-00-00", "2026-03-11T06-00-00"


@dataclass
class Finished:
    """A working folder after a finished run, and the settings of the next one."""

    root: Path
    config: PipelineConfig
    day: date = DAY
    refit: bool = False
    publish_withdrawn: bool = False
    push: bool = True
    replaces: str = ""

    def __post_init__(self) -> None:
        self.workdir = Workdir(self.root / "workdir")
        self.feed_log = self.root / "log"

    def plan(self) -> DayPlan:
        return plan_day(
            *(self.config, self.workdir, self.feed_log, self.day),
            *(self.refit, self.publish_withdrawn, self.push, self.replaces),
        )

    def repeat(self) -> RunSummary | None:
        return repeat_finished(self.plan(), AGAIN)

    @property
    def pushed(self) -> Path:
        return self.workdir.serving_model / "8"


def write_day(folder: Path, values: list[float]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"click": values}), folder / "part-0.parquet")


def summary_of(finished: Finished, plan: DayPlan) -> RunSummary:
    run = finished.workdir.run(FINISHED)
    return RunSummary(
        run_id=FINISHED,
        config=plan.config.name,
        day=DAY.isoformat(),
        feed_log=str(plan.feed_log),
        status="complete",
        training_fingerprint=plan.training.fingerprint,
        training=plan.training,
        start=plan.start,
        rows={"train": 3, "eval": 3},
        objectives={"click": ObjectiveSummary(3, 1, auc=0.75, state="passed", gate="passed")},
        report=str(run / "report.html"),
        blessed=True,
        pushed_model=str(finished.pushed),
        monitoring=MonitoringSummary(str(finished.workdir.monitoring / "monitor.html"), ("click: O/E is 2",)),
        components=(
            ComponentSummary("TrainingStart", "cached", True, 0.1, None),
            ComponentSummary("FeedLogGen", "ran", False, 2.5, 6),
        ),
    )


@pytest.fixture
def finished(tmp_path: Path) -> Finished:
    """A finished run that is remembered."""
    schema = tmp_path / "schema.pbtxt"
    shutil.copy(PROJECT_ROOT / FEED.schema, schema)
    made = Finished(tmp_path, replace(FEED, schema=str(schema)))
    write_day(day_folder(made.feed_log, BEFORE), [0.0, 1.0, 0.0])
    write_day(day_folder(made.feed_log, DAY), [1.0, 1.0, 0.0])
    push(made.workdir.serving_model, "7", of_training("an earlier day"))
    plan = made.plan()
    push(made.workdir.serving_model, "8", of_training(plan.training.fingerprint))
    for file in (
        "metadata.sqlite",
        "artifacts/Evaluator/evaluation/11/gates.json",
        "monitoring/days/2026-03-09.json",
        "monitoring/monitor.html",
        f"runs/{FINISHED}/report.html",
    ):
        path = made.workdir.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {file}")
    summary = summary_of(made, plan)
    write_summary(made.workdir.run(FINISHED), summary)
    remember(plan, summary)
    return made


def test_an_unchanged_run_has_the_outcome_of_a_cached_one(finished: Finished) -> None:
    before = summary_of(finished, finished.plan())
    repeated = finished.repeat()
    folder = finished.workdir.run(AGAIN)
    assert repeated == replace(
        before,
        run_id=AGAIN,
        report=str(folder / "report.html"),
        components=(
            ComponentSummary("TrainingStart", "cached", True, 0.0, None, 0.0),
            ComponentSummary("FeedLogGen", "cached", True, 0.0, 6, 0.0),
        ),
    )
    assert RunSummary.from_json((folder / "summary.json").read_text()) == repeated
    assert (folder / "report.html").read_text() == f"content of runs/{FINISHED}/report.html"
    # What it was repeated from is still there, so it can be repeated again.
    assert RunSummary.from_json((finished.workdir.run(FINISHED) / "summary.json").read_text()) == before
    assert finished.repeat() == repeated


def test_what_changes_no_outcome_keeps_a_run_unchanged(finished: Finished) -> None:
    finished.workdir.digests.unlink(missing_ok=True)
    (finished.workdir.run(FINISHED) / "run.log").write_text("written after the record")
    write_day(day_folder(finished.feed_log, DAY - timedelta(days=30)), [1.0])
    for file in finished.feed_log.rglob("*.parquet"):
        os.utime(file)
    assert finished.repeat() is not None


def test_another_push_destination_is_a_full_run(finished: Finished, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(finished.workdir.serving_model, elsewhere)
    finished.workdir = Workdir(finished.workdir.root, str(elsewhere))
    assert finished.repeat() is None


@pytest.mark.slow
def test_models_on_an_object_store_are_looked_at_too(
    finished: Finished, object_store: ObjectStore, bucket: str
) -> None:
    object_store.upload(finished.workdir.serving_model, bucket, "models")
    finished.workdir = Workdir(finished.workdir.root, object_store.uri(f"{bucket}/models"))
    plan = finished.plan()
    summary = replace(summary_of(finished, plan), pushed_model=f"s3://{object_store.key}:…@{bucket}/models/8")
    write_summary(finished.workdir.run(FINISHED), summary)
    remember(plan, summary)
    assert finished.repeat() is not None
    object_store.write(bucket, f"models/8/{MANIFEST}.more", b"changed")
    assert finished.repeat() is None


# A value of every field of a config that the built-in feed's does not have.
OTHER_SETTINGS: dict[str, Any] = {
    "name": "another",
    "objectives": FEED.objectives[:-1],
    "features": replace(FEED.features, numeric=FEED.features.numeric[:-1]),
    "slices": (),
    "train_days": 5,
    "keys": replace(FEED.keys, session="session"),
    "timestamps": replace(Timestamps(), max_outside=0.5),
    "rows": Rows(where=[("device", "!=", "bot")]),
    "exploration": None,
    "forest": Forest(trees=12, depth=3),
    "towers": Towers(hidden=(8,)),
    "examination": Examination(shrinkage=4.0),
    "training": Training(batch_size=128),
    "retraining": Retraining(start="cold"),
    "utility": Utility(alpha=0.25),
    "serving": Serving(max_rows=16),
    "retention": Retention(runs=99),
    "validation": Validation(max_unseen=0.9),
    "gates": Gates(slice=None),
    "monitoring": Monitoring(drift=0.5),
    "beam_pipeline_args": ("--direct_num_workers=2",),
    "shared_paths": True,
    "effects": Effects(levels=(EffectLevel("viewer_id"),)),
    "tradeoff": None,
    "kubeflow": Kubeflow(retries=3),
}


def test_every_setting_is_changed_below() -> None:
    assert {*OTHER_SETTINGS, "schema"} == {field.name for field in fields(PipelineConfig)}


@pytest.mark.parametrize("name", OTHER_SETTINGS)
def test_another_setting_leads_to_a_full_run(finished: Finished, name: str) -> None:
    assert getattr(FEED, name) != OTHER_SETTINGS[name]
    finished.config = replace(finished.config, **{name: OTHER_SETTINGS[name]})
    assert finished.repeat() is None


def test_a_vouched_column_leads_to_a_full_run(finished: Finished) -> None:
    """It is no part of the config as JSON, but the gates go by it."""
    features = replace(finished.config.features, vouched=finished.config.features.names[:1])
    finished.config = replace(finished.config, features=features)
    assert finished.repeat() is None


def _other_code(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_plan, "code_fingerprint", lambda *modules: "other")


def _other_packages(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_plan, "package_fingerprint", lambda: "other")


def _other_schema(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(finished.config.schema).open("a") as schema:
        schema.write("# reviewed\n")


def _moved_schema(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = Path(finished.config.schema).rename(finished.root / "moved.pbtxt")
    finished.config = replace(finished.config, schema=str(moved))


def _corrected_value(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    write_day(day_folder(finished.feed_log, DAY), [1.0, 0.0, 0.0])


def _corrected_training_day(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    write_day(day_folder(finished.feed_log, BEFORE), [1.0, 0.0, 0.0])


def _another_file(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = day_folder(finished.feed_log, BEFORE)
    shutil.copy(folder / "part-0.parquet", folder / "part-1.parquet")


def _late_day(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    write_day(day_folder(finished.feed_log, BEFORE - timedelta(days=1)), [1.0])


def _removed_day(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(day_folder(finished.feed_log, BEFORE))


def _moved_feed_log(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    finished.feed_log = finished.feed_log.rename(finished.root / "moved")


def _moved_workdir(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    finished.workdir = Workdir(finished.workdir.root.rename(finished.root / "moved"))


def _another_day(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    finished.day = DAY + timedelta(days=1)


def _refit(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    finished.refit = True


def _publish_withdrawn(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    finished.publish_withdrawn = True


def _no_push(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    finished.push = False


def _replaces(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    finished.replaces = "shop"


INPUTS = [
    *(_other_code, _other_packages, _other_schema, _moved_schema, _corrected_value, _corrected_training_day),
    *(_another_file, _late_day, _removed_day, _moved_feed_log, _moved_workdir),
    *(_another_day, _refit, _publish_withdrawn, _no_push, _replaces),
]

Change = Callable[[Finished, pytest.MonkeyPatch], None]


def _name(change: Any) -> str:
    return str(change.__name__).strip("_")


@pytest.mark.slow
@pytest.mark.parametrize("change", INPUTS, ids=_name)
def test_another_input_leads_to_a_full_run(finished: Finished, change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    change(finished, monkeypatch)
    assert finished.repeat() is None
    assert not finished.workdir.run(AGAIN).exists()


def _rolled_back(finished: Finished) -> None:
    roll_back(str(finished.workdir.serving_model))


def _withdrawn(finished: Finished) -> None:
    withdraw(str(finished.workdir.serving_model), "8")


def _pushed_by_someone_else(finished: Finished) -> None:
    push(finished.workdir.serving_model, "9", of_training("somebody's"))


def _pushed_without_a_manifest(finished: Finished) -> None:
    push(finished.workdir.serving_model, "9")


def _removed_version(finished: Finished) -> None:
    shutil.rmtree(finished.pushed)


def _removed_earlier_version(finished: Finished) -> None:
    shutil.rmtree(finished.workdir.serving_model / "7")


def _replaced_model(finished: Finished) -> None:
    (finished.pushed / "saved_model.pb").write_text("another model")


def _linked_folder(finished: Finished) -> None:
    moved = finished.pushed.rename(finished.root / "elsewhere")
    finished.pushed.symlink_to(moved)


def _removed_database(finished: Finished) -> None:
    finished.workdir.metadata.unlink()


def _changed_database(finished: Finished) -> None:
    os.utime(finished.workdir.metadata)


def _removed_artifact(finished: Finished) -> None:
    (finished.workdir.artifacts / "Evaluator/evaluation/11/gates.json").unlink()


def _removed_artifacts(finished: Finished) -> None:
    shutil.rmtree(finished.workdir.artifacts)


def _changed_artifact(finished: Finished) -> None:
    (finished.workdir.artifacts / "Evaluator/evaluation/11/gates.json").write_text("{}")


def _another_artifact(finished: Finished) -> None:
    (finished.workdir.artifacts / "Evaluator/evaluation/12").write_text("")


def _monitored_again(finished: Finished) -> None:
    (finished.workdir.monitoring / "days" / f"{DAY}.json").write_text("by --monitor")


def _removed_health(finished: Finished) -> None:
    (finished.workdir.monitoring / "days" / f"{DAY}.json").unlink()


def _removed_page(finished: Finished) -> None:
    (finished.workdir.monitoring / "monitor.html").unlink()


def _removed_report(finished: Finished) -> None:
    (finished.workdir.run(FINISHED) / "report.html").unlink()


def _removed_run(finished: Finished) -> None:
    shutil.rmtree(finished.workdir.run(FINISHED))


def _changed_summary(finished: Finished) -> None:
    summary = replace(summary_of(finished, finished.plan()), blessed=False)
    write_summary(finished.workdir.run(FINISHED), summary)


def _damaged_record(finished: Finished) -> None:
    finished.workdir.finished_run.write_text('{"run_id": "')


def _record_without_a_field(finished: Finished) -> None:
    finished.workdir.finished_run.write_text('{"run_id": "x", "inputs": {}}')


def _record_in_another_encoding(finished: Finished) -> None:
    finished.workdir.finished_run.write_bytes(b"\xff\xfe")


def _record_without_an_input(finished: Finished) -> None:
    """As an earlier version of the project may write it."""
    file = finished.workdir.finished_run
    record = read_json(FinishedRun, file.read_text(), str(file))
    inputs = {name: digest for name, digest in record.inputs.items() if name != "the schema"}
    file.write_text(write_json(replace(record, inputs=inputs)))


def _started_run(finished: Finished) -> None:
    """It forgets the finished one first, and may be killed at any time after that."""
    forget(finished.workdir)


OUTPUTS = [
    *(_rolled_back, _withdrawn, _pushed_by_someone_else, _pushed_without_a_manifest),
    *(_removed_version, _removed_earlier_version, _replaced_model, _linked_folder),
    *(_removed_database, _changed_database),
    *(_removed_artifact, _removed_artifacts, _changed_artifact, _another_artifact),
    *(_monitored_again, _removed_health, _removed_page),
    *(_removed_report, _removed_run, _changed_summary),
    *(_damaged_record, _record_without_a_field, _record_in_another_encoding, _record_without_an_input),
    _started_run,
]


@pytest.mark.parametrize("change", OUTPUTS, ids=_name)
def test_another_output_leads_to_a_full_run(finished: Finished, change: Callable[[Finished], None]) -> None:
    change(finished)
    assert finished.repeat() is None
    assert not finished.workdir.run(AGAIN).exists()


def test_another_start_leads_to_a_full_run(finished: Finished) -> None:
    before = finished.plan()
    lineage = Lineage("cold", "", BEFORE.isoformat(), False, parts_of(finished.config))
    manifest = Manifest(eval_day=BEFORE.isoformat(), training_fingerprint="an earlier day", lineage=lineage)
    (finished.workdir.serving_model / "7" / MANIFEST).write_text(manifest.to_json())
    plan = finished.plan()
    assert (before.start.start, plan.start.start) == ("cold", "warm")
    assert {name for name in plan.inputs if plan.inputs[name] != before.inputs[name]} >= {"the start", "the training"}
    assert finished.repeat() is None


@pytest.mark.parametrize(
    "change",
    [
        {"status": "failed", "failure": Failure("Transform", "boom")},
        {"problems": ("the calibration report could not be copied: boom",)},
        {"monitoring": MonitoringSummary(None, error="boom")},
        {"monitoring": None},
        {"pushed_model": "/nowhere/8"},
        {"report": "/nowhere/report.html"},
    ],
    ids=lambda change: " ".join(change),
)
def test_a_run_with_something_left_to_do_is_not_remembered(finished: Finished, change: dict[str, Any]) -> None:
    forget(finished.workdir)
    plan = finished.plan()
    remember(plan, replace(summary_of(finished, plan), **change))
    assert not finished.workdir.finished_run.exists()


def test_a_model_that_is_not_blessed_is_not_blessed_again(finished: Finished) -> None:
    plan = finished.plan()
    summary = replace(summary_of(finished, plan), blessed=False, pushed_model=None)
    write_summary(finished.workdir.run(FINISHED), summary)
    remember(plan, summary)
    repeated = finished.repeat()
    assert repeated is not None
    assert (repeated.blessed, repeated.pushed_model) == (False, None)


def test_a_full_disk_leads_to_a_full_run(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.local.unchanged.write_summary", fail)
    assert finished.repeat() is None


def test_the_code_of_a_run_is_that_of_everything_that_it_executes() -> None:
    covered = {file.relative_to(PROJECT_ROOT).as_posix() for file in import_closure(*day_plan._CODE)}
    executors = {file.relative_to(PROJECT_ROOT).as_posix() for file in PROJECT_ROOT.glob("components/*/*.py")}
    # Their pipelines run on Kubeflow alone, and train nothing.
    executors = {file for file in executors if file.split("/")[1] not in ("batch_scorer", "effects_updater")}
    workers = f"{WorkerProcesses.__module__.replace('.', '/')}.py"
    assert executors
    assert covered >= {
        *executors,
        *("pipeline_config.py", "pipeline/pipeline.py", "pipeline/local/day_run.py", "pipeline/local/run.py", workers),
        *("ranker/features/preprocessing.py", "ranker/towers/network.py", "ranker/reports/templates/report.html.j2"),
    }


def test_configs_differ_in_their_inputs(finished: Finished) -> None:
    found = {name: replace(config, name="same") for name, config in CONFIGS.items()}
    digests = {plan_day(c, finished.workdir, finished.feed_log, DAY).inputs["the config"] for c in found.values()}
    assert len(digests) == len(CONFIGS)
