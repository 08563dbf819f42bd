"""The command line of the Kubeflow runner: compile, submit, schedule."""

import argparse
import os
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.configs import ConfigError, load_config
from pipeline.kubeflow.arguments import make_parser
from pipeline.kubeflow.cron import parse_cron
from pipeline.kubeflow.image import check_image
from pipeline.kubeflow.job import VERDICT, Connection, Job, KubeflowError
from pipeline.kubeflow.package import check_package, default_pipeline_root
from pipeline.local.quiet import output_to_file
from ranker.command_line import (
    UsageError,
    explained,
    print_error,
    print_last,
    readable_file,
    readable_text,
    writable_file,
)
from ranker.feed_log.day import day_of, scheduled_day, time_zone

if TYPE_CHECKING:
    from pipeline.kubeflow.client import KubeflowClient

DONE, FAILED, USAGE, NOT_BLESSED, INTERRUPTED = 0, 1, 2, 3, 130

# Placeholders for a schedule's timestamp. Kubeflow's own macro comes first: it is also correct for missed times that
# run later. If the backend does not replace it in compiled pipelines, Argo, which runs them, replaces the second one.
SCHEDULED_MOMENT = ("[[ScheduledTime.2006-01-02T15:04:05Z]]", "{{workflow.creationTimestamp.RFC3339}}")
_SHOWN_TIMES = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses and runs the command line; returns the exit status."""
    options = make_parser({"compile": _compile, "submit": _submit, "schedule": _schedule}).parse_args(arguments)
    try:
        status: int | None = options.command(options)
    except KeyboardInterrupt:
        print_last("stopped; what was submitted goes on")
        return INTERRUPTED
    except (ConfigError, UsageError, OSError) as error:
        print_error(error)
        return USAGE
    except KubeflowError as error:
        print_error(error)
        return FAILED
    return DONE if status is None else status


def _compile(options: argparse.Namespace) -> None:
    output = options.output or Path(f"{options.config}{'-effects' if options.effects else ''}.yaml")
    if output.suffix not in (".yaml", ".yml"):
        raise UsageError(f"--output {output}: Kubeflow takes files that end in .yaml")
    load_config(options.config)
    _check_effects(options)
    writable_file("--output", output)
    _write_package(options, output)
    print(f"compiled {output}")


def _submit(options: argparse.Namespace) -> int:
    _check_effects(options)
    if options.score and (options.publish_withdrawn or options.replaces or not options.push):
        raise UsageError(
            "--score: a run that scores publishes nothing; leave out --publish-withdrawn, --replaces and --no-push"
        )
    day = options.day or day_of(datetime.now(UTC), options.timezone, options.days_before)
    with _package(options) as package:
        client = _connect(options)
        job = _job(options, package, day.isoformat())
        run_id = client.submit(job, options.name or f"{options.config} {_named(options, day)}")
    print(f"submitted {run_id}, {_does(options, day)}: {client.page('run', run_id)}")
    print(_artifacts_of(job))
    return DONE if options.push else _verdict(client, run_id)


def _verdict(client: "KubeflowClient", run_id: str) -> int:
    """Waits for the end of a run that publishes nothing; the exit status."""
    print("waiting for the end of the run; Ctrl-C stops the waiting, not the run", flush=True)
    end = client.wait(run_id)
    if end.succeeded:
        print("the model is blessed, and was not pushed")
        return DONE
    if end.failed_tasks == (VERDICT,):
        print("the model is not blessed: the calibration report names the gates that failed")
        return NOT_BLESSED
    failed = f": {', '.join(end.failed_tasks)}" if end.failed_tasks else ""
    raise KubeflowError(f"the run ended as {end.state}{failed}; for the reason, open {client.page('run', run_id)}")


def _schedule(options: argparse.Namespace) -> None:
    _check_effects(options)
    try:
        cron = parse_cron(options.cron)
    except ValueError as error:
        raise UsageError(f"--{error}") from None
    zone = options.timezone
    day = options.day.isoformat() if options.day else scheduled_day(SCHEDULED_MOMENT, zone, options.days_before)
    name = options.name or _pipeline_name(options)
    description = f"{options.cron} ({zone})"
    with _package(options) as package:
        client = _connect(options)
        job = _job(options, package, day)
        identity, earlier = client.schedule(job, name, cron.with_seconds(), description, options.catch_up)
    print(f"scheduled {name} at {description}, one run at a time: {client.page('recurringrun', identity)}")
    for moment in cron.next_times(datetime.now(UTC), time_zone(zone), _SHOWN_TIMES):
        scheduled = options.day or day_of(moment, zone, options.days_before)
        print(f"  {moment:%Y-%m-%d %H:%M %Z} {'' if options.effects else _does(options, scheduled)}".rstrip())
    print(_artifacts_of(job))
    print("missed times run later" if options.catch_up else "missed times are skipped")
    if earlier:
        print(f"replaced {len(earlier)} earlier schedule{'s' if earlier[1:] else ''} of that name")
    print(f"the cluster's scheduler has to run in {zone}: CRON_SCHEDULE_TIMEZONE, by default UTC")


def _named(options: argparse.Namespace, day: date) -> str:
    """What distinguishes a run from others of its config."""
    return "effects" if options.effects else f"scores {day}" if options.score else str(day)


def _does(options: argparse.Namespace, day: date) -> str:
    """What a run does."""
    if options.effects:
        return "updates the effects"
    return f"scores {day}" if options.score else f"evaluates on {day}"


def _artifacts_of(job: Job) -> str:
    """Says where the artifacts of a job's runs are stored."""
    return f"artifacts are stored below {job.pipeline_root or 'the default pipeline root of the cluster'}"


def _pipeline_name(options: argparse.Namespace) -> str:
    suffix = "-effects" if options.effects else "-scores" if options.score else ""
    return f"feed-ranker-{options.config}{suffix}"


def _check_effects(options: argparse.Namespace) -> None:
    """Refuses options that an update of the effects does not have."""
    if not options.effects:
        return
    given = {
        "--day": getattr(options, "day", None) or getattr(options, "default_day", None),
        "--days-before": getattr(options, "days_before", 0),
        "--publish-withdrawn": getattr(options, "publish_withdrawn", False),
        "--no-push": not getattr(options, "push", True),
        "--replaces": getattr(options, "replaces", ""),
        "--score": options.score,
    }
    if wrong := [name for name, value in given.items() if value]:
        raise UsageError(f"{wrong[0]}: an update of the effects has no day and trains no model")
    if load_config(options.config).effects is None:
        raise UsageError(f"--effects: the config {options.config!r} has no effects; set PipelineConfig.effects")


def _connect(options: argparse.Namespace) -> "KubeflowClient":
    if options.service_account_token:
        readable_text("--service-account-token", options.service_account_token)
    if options.ssl_ca_cert:
        readable_file("--ssl-ca-cert", options.ssl_ca_cert)
        try:
            ssl.create_default_context(cafile=options.ssl_ca_cert)
        except ssl.SSLError:
            raise UsageError(f"--ssl-ca-cert {options.ssl_ca_cert}: it holds no certificates in PEM") from None
    from pipeline.kubeflow.client import KubeflowClient

    return KubeflowClient(
        Connection(
            host=options.host,
            namespace=options.namespace,
            client_id=options.client_id,
            other_client_id=options.other_client_id,
            other_client_secret=options.other_client_secret,
            existing_token=options.existing_token,
            cookies=options.cookies,
            proxy=options.proxy,
            ssl_ca_cert=options.ssl_ca_cert,
            kube_context=options.kube_context,
            service_account_token=options.service_account_token,
            verify_ssl=options.verify_ssl,
        )
    )


def _job(options: argparse.Namespace, package: Path, day: str) -> Job:
    parameters = {} if options.effects else {"day": day}
    if options.feed_log:
        parameters["feed_log"] = options.feed_log
    if options.score:
        parameters["scores"] = options.score
    if getattr(options, "publish_withdrawn", False):
        parameters["publish_withdrawn"] = "true"
    if not getattr(options, "push", True):
        parameters["push"] = "false"
    if getattr(options, "replaces", ""):
        parameters["replaces"] = options.replaces
    return Job(
        package=package,
        parameters=parameters,
        experiment=options.experiment or _pipeline_name(options),
        pipeline_root=options.pipeline_root or default_pipeline_root(package),
        service_account=options.service_account,
    )


@contextmanager
def _package(options: argparse.Namespace) -> Iterator[Path]:
    """The compiled pipeline of `--package`, or else one that is compiled now."""
    if options.package:
        check_package(options.package)
        if options.image or options.push_destination or not options.cache:
            raise UsageError(
                "--image, --push-destination and --no-cache are compiled in; they cannot be combined with --package"
            )
        yield options.package
        return
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder, f"{options.config}.yaml")
        _write_package(options, package)
        yield package


def _write_package(options: argparse.Namespace, path: Path) -> None:
    config = load_config(options.config)
    if missing := [name for name in ("image", "feed_log") if not getattr(options, name)]:
        raise UsageError(f"--{missing[0].replace('_', '-')} is needed to compile; --help explains it")
    try:
        check_image(options.image)
        # Importing TFX takes over ten seconds and prints messages, so the command is validated first.
        with output_to_file(Path(os.devnull)) as console, console.status("compiling"):
            from pipeline.kubeflow.compile import compile_effects, compile_pipeline, compile_scoring, with_overrides

            config = with_overrides(config, options.push_destination, options.pipeline_root)
            day: date | None = getattr(options, "default_day", None)
            if options.effects:
                compiled = compile_effects(config, options.image, options.feed_log)
            elif options.score:
                compiled = compile_scoring(config, options.image, options.feed_log, options.score, day)
            else:
                compiled = compile_pipeline(config, options.image, options.feed_log, day, options.cache)
            compiled.write(path)
    except (ValueError, OSError) as error:
        raise UsageError(explained(error)) from None
