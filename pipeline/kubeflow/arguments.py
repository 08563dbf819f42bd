"""The Kubeflow runner's options."""

import argparse
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from ranker.feed_log.day import time_zone

BUILT_IN = "feed"

_EPILOG = """\
exit status: 0 done, 1 the cluster does not answer or refuses, 2 the command or the config cannot be used

  kubeflow_runner.py compile --image registry.example/team/feed@sha256:… --feed-log /feed_log --output feed.yaml
  kubeflow_runner.py submit --package feed.yaml --host http://localhost:8080 --day 2026-03-09
  kubeflow_runner.py schedule --package feed.yaml --host http://localhost:8080 --cron "0 3 * * *" --days-before 1

docs/kubeflow.md says what the cluster needs.
"""

Command = Callable[[argparse.Namespace], None]


def make_parser(commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The parser; each command's function lands in `options.command`."""
    parser = argparse.ArgumentParser(
        prog="kubeflow_runner.py",
        description="Runs the pipeline on open-source Kubeflow Pipelines 2.x.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    helps = {
        "compile": "write the pipeline to a file that Kubeflow runs",
        "submit": "start one run",
        "schedule": "start runs by the clock, in place of an earlier schedule of the same name",
    }
    for name, text in helps.items():
        sub = subparsers.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        sub.set_defaults(command=commands[name])
        {"compile": _for_compile, "submit": _for_submit, "schedule": _for_schedule}[name](sub)
    return parser


def _for_compile(parser: argparse.ArgumentParser) -> None:
    _add_pipeline(parser)
    parser.add_argument("--output", type=Path, metavar="FILE", help="the file to write (default: NAME.yaml)")
    parser.add_argument(
        "--day",
        dest="default_day",
        type=date.fromisoformat,
        metavar="YYYY-MM-DD",
        help="the day of runs that name none (default: every run has to name one)",
    )


def _for_submit(parser: argparse.ArgumentParser) -> None:
    _add_package(parser)
    _add_pipeline(parser)
    _add_run(parser, "the run's name (default: config and day)", "today, less --days-before")
    _add_connection(parser)


def _for_schedule(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cron",
        required=True,
        metavar="FIELDS",
        help='five fields, as in "0 3 * * *": minute, hour, day of month, month, day of week',
    )
    parser.add_argument("--catch-up", action="store_true", help="make up for missed times (default: skip them)")
    _add_package(parser)
    _add_pipeline(parser)
    _add_run(parser, "the schedule's name (default: feed-ranker-NAME)", "the scheduled date, less --days-before")
    _add_connection(parser)


def _add_package(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--package",
        type=Path,
        metavar="FILE",
        help="a compiled pipeline (default: one is compiled by the options below)",
    )


def _add_pipeline(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the pipeline")
    group.add_argument(
        "--config", default=BUILT_IN, metavar="NAME", help="a config of pipeline_config.py (default: %(default)s)"
    )
    group.add_argument("--image", metavar="NAME@sha256:…", help="the container image, built by deploy/Dockerfile")
    group.add_argument(
        "--feed-log",
        metavar="DIR",
        help="the folder of day folders: a path on a mounted volume, or a URI such as gs://",
    )
    group.add_argument(
        "--push-destination", metavar="DIR", help="where blessed models go (default: the config's, or /models/NAME)"
    )
    group.add_argument(
        "--pipeline-root", metavar="URI", help="where artifacts go (default: the config's, the cluster's)"
    )
    group.add_argument("--no-cache", dest="cache", action="store_false", help="reuse nothing that earlier runs wrote")


def _add_run(parser: argparse.ArgumentParser, name: str, day: str) -> None:
    group = parser.add_argument_group("the run")
    group.add_argument(
        "--day", type=date.fromisoformat, metavar="YYYY-MM-DD", help=f"the day to evaluate on (default: {day})"
    )
    group.add_argument(
        "--days-before", type=_count, default=0, metavar="N", help="days before that date, 1 for yesterday (default: 0)"
    )
    group.add_argument(
        "--timezone",
        type=_zone,
        default="UTC",
        metavar="NAME",
        help="the zone of dates and of --cron, which has to be that of the cluster's scheduler (default: %(default)s)",
    )
    group.add_argument("--name", help=name)
    group.add_argument("--experiment", metavar="NAME", help="groups runs (default: feed-ranker-NAME)")
    group.add_argument("--service-account", metavar="NAME", help="that the pods run as (default: the cluster's)")


def _add_connection(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "the cluster", "As kfp.Client takes it. A secret written as @FILE is read from that file."
    )
    group.add_argument(
        "--host", metavar="URL", help="the API server (default: the cluster this runs in, or kube config's)"
    )
    group.add_argument("--namespace", metavar="NAME", help="of experiments and runs, on servers with several users")
    group.add_argument("--existing-token", type=_secret, metavar="SECRET", help="a bearer token")
    group.add_argument("--cookies", type=_secret, metavar="SECRET", help="a session, such as authservice_session=…")
    group.add_argument("--service-account-token", type=Path, metavar="FILE", help="a token that Kubernetes renews")
    group.add_argument("--client-id", metavar="ID", help="of Identity-Aware Proxy")
    group.add_argument("--other-client-id", metavar="ID", help="of the desktop client for Identity-Aware Proxy")
    group.add_argument("--other-client-secret", type=_secret, metavar="SECRET", help="of that client")
    group.add_argument("--proxy", metavar="URL", help="an HTTP proxy")
    group.add_argument("--ssl-ca-cert", type=Path, metavar="FILE", help="the authority of the server's certificate")
    group.add_argument(
        "--no-verify-ssl", dest="verify_ssl", action="store_false", help="do not check the server's certificate"
    )
    group.add_argument("--kube-context", metavar="NAME", help="a context of the kube config")


def _secret(text: str) -> str:
    """A secret, or what the file holds that `@FILE` names, as command lines are there for all to see."""
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text().strip()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text[1:]} cannot be read: {error.strerror}") from None


def _zone(text: str) -> str:
    try:
        return time_zone(text).key
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not 0 or more")
    return int(text)
