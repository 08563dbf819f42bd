"""The Kubeflow runner's options."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ranker.command_line import UsageError, local_path, port, readable_text, whole_number
from ranker.command_line import day as as_day
from ranker.feed_log.day import time_zone
from ranker.plain_text import one_line, sentence, visible

BUILT_IN = "feed"
_MAX_DAYS_BEFORE = 9_999

_EPILOG = """\
exit status: 0 success, 1 the cluster does not answer or refuses, or a run with --no-push fails, 2 the command or the
config is not valid, 3 the model of a run with --no-push is not blessed, 130 interrupted: what was submitted goes on

  kubeflow_runner.py compile --image registry.example/team/feed@sha256:… --feed-log /feed_log --output feed.yaml
  kubeflow_runner.py submit --package feed.yaml --host http://localhost:8080 --day 2026-03-09
  kubeflow_runner.py schedule --package feed.yaml --host http://localhost:8080 --cron "0 3 * * *" --days-before 1

docs/kubeflow.md lists the requirements for the cluster.
"""

Command = Callable[[argparse.Namespace], int | None]


def make_parser(commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The parser; `options.command` is the function of the chosen command."""
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
        "schedule": "start runs on a schedule, which replaces an earlier one with the same name",
    }
    for name, text in helps.items():
        sub = subparsers.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        sub.set_defaults(command=commands[name])
        {"compile": _for_compile, "submit": _for_submit, "schedule": _for_schedule}[name](sub)
    return parser


def _for_compile(parser: argparse.ArgumentParser) -> None:
    _add_pipeline(parser)
    parser.add_argument("--output", type=local_path, metavar="FILE", help="the file to write (default: NAME.yaml)")
    parser.add_argument(
        "--day",
        dest="default_day",
        type=as_day,
        metavar="YYYY-MM-DD",
        help="the default day of runs (default: every run has to pass a day)",
    )


def _for_submit(parser: argparse.ArgumentParser) -> None:
    _add_package(parser)
    _add_pipeline(parser)
    run = _add_run(parser, "the run's name (default: config and day)", "today, less --days-before")
    run.add_argument(
        "--publish-withdrawn",
        action="store_true",
        help="publish the model even if a rollback withdrew it; by default the run publishes nothing then",
    )
    run.add_argument(
        "--no-push",
        dest="push",
        action="store_false",
        help="train and evaluate, publish nothing, and wait for the end of the run: exit status 0 if the model is "
        "blessed, else 3",
    )
    run.add_argument(
        "--replaces",
        default="",
        metavar="NAME",
        help="replace the serving model of the config NAME, where it is another config's or of a later day; by default "
        "a run does neither",
    )
    _add_connection(parser)


def _for_schedule(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cron",
        required=True,
        metavar="FIELDS",
        help='five fields, as in "0 3 * * *": minute, hour, day of month, month, day of week',
    )
    parser.add_argument("--catch-up", action="store_true", help="run missed times later (default: skip them)")
    _add_package(parser)
    _add_pipeline(parser)
    _add_run(parser, "the schedule's name (default: feed-ranker-NAME)", "the scheduled date, less --days-before")
    _add_connection(parser)


def _add_package(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--package",
        type=local_path,
        metavar="FILE",
        help="a compiled pipeline (default: compile one with the options below)",
    )


def _add_pipeline(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the pipeline")
    group.add_argument(
        "--config", default=BUILT_IN, metavar="NAME", help="a config of pipeline_config.py (default: %(default)s)"
    )
    group.add_argument("--image", metavar="NAME@sha256:…", help="the container image, built by deploy/Dockerfile")
    group.add_argument(
        "--feed-log",
        type=_place,
        metavar="DIR",
        help="the folder of day folders: a path on a mounted volume, or a URI such as gs://",
    )
    group.add_argument(
        "--push-destination",
        type=_place,
        metavar="DIR",
        help="where blessed models go (default: the config's, or /models/NAME)",
    )
    group.add_argument(
        "--pipeline-root",
        type=_place,
        metavar="URI",
        help="where artifacts are stored (default: that of the package or the config, or else the cluster's)",
    )
    group.add_argument(
        "--effects",
        action="store_true",
        help="the pipeline that trains nothing and updates the random effects of the serving model with the newest "
        "impressions; it has no day",
    )
    group.add_argument(
        "--score",
        metavar="DIR",
        type=_place,
        help="train nothing: score the day with the newest pushed model, by Beam, into a folder of the day below DIR",
    )
    group.add_argument("--no-cache", dest="cache", action="store_false", help="do not reuse outputs of earlier runs")


def _add_run(parser: argparse.ArgumentParser, name: str, day: str) -> argparse._ArgumentGroup:
    group = parser.add_argument_group("the run")
    group.add_argument(
        "--day", type=as_day, metavar="YYYY-MM-DD", help=f"the day to evaluate on, or to score (default: {day})"
    )
    group.add_argument(
        "--days-before",
        type=whole_number(0, _MAX_DAYS_BEFORE),
        default=0,
        metavar="N",
        help="days before that date, 1 for yesterday (default: 0)",
    )
    group.add_argument(
        "--timezone",
        type=_zone,
        default="UTC",
        metavar="NAME",
        help="time zone of dates and --cron; it has to be that of the cluster's scheduler (default: %(default)s)",
    )
    group.add_argument("--name", type=_label, help=name)
    group.add_argument("--experiment", type=_label, metavar="NAME", help="groups runs (default: feed-ranker-NAME)")
    group.add_argument(
        "--service-account", type=_label, metavar="NAME", help="service account of the pods (default: the cluster's)"
    )
    return group


def _add_connection(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "the cluster", "The options of kfp.Client. A secret written as @FILE is read from that file."
    )
    group.add_argument(
        "--host",
        type=_url,
        metavar="URL",
        help="the API server (default: the cluster that this runs in, or that of kube config)",
    )
    group.add_argument(
        "--namespace", type=_label, metavar="NAME", help="namespace of experiments and runs, on multi-user servers"
    )
    group.add_argument("--existing-token", type=_secret, metavar="SECRET", help="a bearer token")
    group.add_argument("--cookies", type=_secret, metavar="SECRET", help="a cookie, such as authservice_session=…")
    group.add_argument(
        "--service-account-token", type=local_path, metavar="FILE", help="a token that Kubernetes renews"
    )
    group.add_argument("--client-id", metavar="ID", help="client of Identity-Aware Proxy")
    group.add_argument("--other-client-id", metavar="ID", help="desktop client for Identity-Aware Proxy")
    group.add_argument("--other-client-secret", type=_secret, metavar="SECRET", help="secret of the desktop client")
    group.add_argument("--proxy", type=_url, metavar="URL", help="an HTTP proxy")
    group.add_argument("--ssl-ca-cert", type=local_path, metavar="FILE", help="CA certificate of the server")
    group.add_argument(
        "--no-verify-ssl", dest="verify_ssl", action="store_false", help="do not verify the server's certificate"
    )
    group.add_argument("--kube-context", type=_label, metavar="NAME", help="a context of the kube config")


def _secret(text: str) -> str:
    """A secret, or with `@FILE` the content of that file, as command lines are visible to other users.

    No message shows the secret itself.
    """
    secret = text
    if text.startswith("@"):
        try:
            secret = readable_text("@", Path(text[1:])).strip()
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error).removeprefix("@ ")) from None
    if not secret or visible(secret) != secret or "\n" in secret:
        raise argparse.ArgumentTypeError("a secret is one line of text")
    return secret


def _zone(text: str) -> str:
    try:
        return time_zone(text).key
    except ValueError as error:
        raise argparse.ArgumentTypeError(sentence(str(error), 200)) from None


def _label(text: str) -> str:
    if not text.strip() or one_line(text) != text:
        raise argparse.ArgumentTypeError(f"{one_line(text, 60)!r} is no name; a name is one line of text")
    return text


def _place(text: str) -> str:
    """A path in the containers or a URI."""
    if not text.strip() or visible(text) != text or "\n" in text:
        raise argparse.ArgumentTypeError(f"{one_line(text, 60)!r} is neither a path nor a URI")
    return text


def _url(text: str) -> str:
    """A URL of a server; without a scheme it is one of https."""
    refusal = f"{one_line(text, 60)!r} is not a URL such as http://localhost:8080"
    url = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(url)
        netloc = parts.netloc.rpartition("@")[2]
        host, port_text = parts.hostname or "", netloc.rpartition(":")[2] if netloc.rstrip("]") == netloc else ""
        if ":" in netloc.rpartition("]")[2]:
            port(port_text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{refusal}: {error}") from None
    except ValueError:
        raise argparse.ArgumentTypeError(refusal) from None
    printable = text.isascii() and text.isprintable() and " " not in text
    if parts.scheme not in ("http", "https") or not host or not printable:
        raise argparse.ArgumentTypeError(refusal)
    return text
