"""What is known of a day's run before it starts, and everything that its outcome follows from; needs no TFX."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from pipeline.beam import beam_args, runs_on_cluster
from pipeline.local.workdir import Workdir
from pipeline.training_plan import plan_fit, plan_start, recipe, schema_text
from ranker.command_line import UsageError
from ranker.config.documents import to_json
from ranker.config.pipeline import PipelineConfig
from ranker.feed_log.fingerprint import KnownDigests, source_fingerprint
from ranker.feed_log.layout import window_days
from ranker.identity.code import code_fingerprint
from ranker.identity.digest import short_digest
from ranker.identity.packages import package_fingerprint
from ranker.identity.training import TrainingIdentity, identify
from ranker.registry.baseline import BaselineChoice, choose_baseline
from ranker.registry.effects_plan import EffectsPlan
from ranker.registry.plan import StartPlan
from ranker.registry.replacement import find_replaced
from ranker.registry.versions import find_serving_version, read_manifest
from ranker.registry.withdrawal import destination_state

# The command line imports everything that a run executes, but for what TFX and Beam import by name.
_CODE = ("pipeline.local.cli", "ranker.features.preprocessing", "pipeline.beam_workers", "pipeline.worker_processes")


@dataclass(frozen=True)
class DayPlan:
    """A planned run of one day.

    Attributes:
        config, workdir, feed_log, day: the settings of the run.
        start: what its training starts from.
        training: the identity of its training.
        baseline: the pushed version that its model is compared with.
        destination_state: what the push depends on at the destination.
        publish_withdrawn: publish the model even if a rollback withdrew it.
        push: publish a blessed model.
        replaces: the name of another config whose serving model may be replaced; "" for none.
        inputs: name → digest of everything that the outcome follows from, as it was when the day was planned.
        effects: the pushed versions that a fit of random effects reads; None for a config without effects.
    """

    config: PipelineConfig
    workdir: Workdir
    feed_log: str | Path
    day: date
    start: StartPlan
    training: TrainingIdentity
    baseline: BaselineChoice
    destination_state: str
    publish_withdrawn: bool
    inputs: Mapping[str, str]
    effects: EffectsPlan | None = None
    push: bool = True
    replaces: str = ""


def plan_day(
    config: PipelineConfig,
    workdir: Workdir,
    feed_log: str | Path,
    day: date,
    refit: bool = False,
    publish_withdrawn: bool = False,
    push: bool = True,
    replaces: str = "",
) -> DayPlan:
    """Plans a run from the feed log and the push destination.

    Args:
        refit: start cold, whatever the cadence is.
        publish_withdrawn: publish the model even if a rollback withdrew it.
        push: publish a blessed model.
        replaces: the name of another config whose serving model may be replaced; "" for none.

    Raises:
        FeedLogError: a file of the window is not Parquet, or incomplete.
        UsageError: this machine lacks the devices that the towers are trained on, or Beam's workers are on other
            machines, which cannot read its folders.
    """
    _check_devices(config)
    _check_paths(config, workdir)
    source = source_fingerprint(feed_log, window_days(day, config.days_read), KnownDigests.load(workdir.digests))
    destination = workdir.push_destination
    start = plan_start(config, destination, day, refit)
    training = identify(day, recipe(config), source, start.start, start.parent_training)
    baseline = choose_baseline(destination, day, training.fingerprint)
    state = destination_state(destination, training.fingerprint)
    effects = plan_fit(config, destination, day)
    inputs = {
        "the day": day.isoformat(),
        # Not as JSON, which leaves out some settings that shape no model.
        "the config": repr(asdict(config)),
        "the schema": schema_text(config),
        "the code": code_fingerprint(*_CODE),
        "the installed packages": package_fingerprint(),
        "the feed log": f"{feed_log}: {source}",
        "the working folder": str(workdir.root),
        "the start": to_json(start),
        "the training": training.fingerprint,
        "the baseline": to_json(baseline),
        "the push destination": f"{destination}: {state}",
        "--publish-withdrawn": str(publish_withdrawn),
        "--no-push": str(not push),
        "--replaces": replaces,
    }
    if effects is not None:
        inputs["the models that effects are fitted with"] = to_json(effects)
    digests = {name: short_digest((text,)) for name, text in inputs.items()}
    return DayPlan(
        config,
        workdir,
        feed_log,
        day,
        start,
        training,
        baseline,
        state,
        publish_withdrawn,
        digests,
        effects,
        push,
        replaces,
    )


def later_model(workdir: Workdir, day: date) -> tuple[str, str] | None:
    """The serving version and its day, if it is after `day`: a model for `day` would replace a newer one."""
    destination = workdir.push_destination
    version = find_serving_version(destination)
    if version is None:
        return None
    manifest = read_manifest(destination, version)
    trained_for = manifest.eval_day if manifest is not None else ""
    return (version, trained_for) if trained_for > day.isoformat() else None


def refuse_to_replace(config: PipelineConfig, workdir: Workdir, replaces: str) -> None:
    """Refuses to replace the serving model of another config; call it before anything is trained.

    Args:
        config: of the run.
        workdir: its working folder.
        replaces: the name of another config whose serving model may be replaced; "" for none.

    Raises:
        UsageError: the run would replace it.
    """
    replaced = find_replaced(workdir.push_destination, config.name, replaces)
    if replaced is not None:
        raise UsageError(
            f"--config {config.name}: {replaced}; name another --workdir or --push-destination, or give --replaces "
            f"{replaced.config} to replace it"
        )


def _check_paths(config: PipelineConfig, workdir: Workdir) -> None:
    args = beam_args(config.beam_pipeline_args)
    if runs_on_cluster(args) and not config.shared_paths:
        raise UsageError(
            f"beam_pipeline_args: workers on other machines cannot write artifacts into {workdir.artifacts}, a folder "
            "of this machine; if they see it under the same path, set shared_paths=True in the config, or "
            "--shared-paths; otherwise deploy to Kubeflow with a pipeline root on an object store"
        )


def _check_devices(config: PipelineConfig) -> None:
    if config.training.strategy == "one_device":
        return
    # Importing TensorFlow takes seconds, and every machine has one device.
    from ranker.towers.workers import StrategyError, check_strategy

    try:
        check_strategy(config.training.strategy)
    except StrategyError as error:
        raise UsageError(str(error)) from None
