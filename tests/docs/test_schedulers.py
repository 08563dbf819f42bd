"""The examples for cron and systemd start the local runner with options that it has."""

import configparser
import re
import shlex

from pipeline.local.cli import NOT_BLESSED, _parser
from tests.docs.test_links import ROOT

PAGE = (ROOT / "docs" / "running.md").read_text()


def section(title: str) -> str:
    return re.split(r"^## ", PAGE.partition(f"## {title}\n")[2], flags=re.MULTILINE)[0]


def test_the_cron_line_has_five_fields_and_a_command_that_runs() -> None:
    [line] = re.findall(r"^```text\n(.*)\n```$", section("Every day"), re.MULTILINE)
    fields, command = line.split(maxsplit=5)[:5], line.split(maxsplit=5)[5]
    assert fields == ["0", "3", "*", "*", "*"]
    _, _, run = command.partition(" && ")
    words = shlex.split(run.partition(" >> ")[0])
    assert words[:2] == [".venv/bin/python", "local_runner.py"]
    options = _parser().parse_args(words[2:])
    assert (options.config, str(options.feed_log)) == ("shop", "/data/feed_log")


def test_the_units_start_the_same_command_and_know_its_exit_status() -> None:
    service, timer = (configparser.ConfigParser(interpolation=None) for _ in range(2))
    for parser, text in zip(
        (service, timer), re.findall(r"^```ini\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL), strict=True
    ):
        parser.read_string(text)
    words = shlex.split(service["Service"]["ExecStart"])
    assert words[1] == "local_runner.py"
    assert _parser().parse_args(words[2:]).config == "shop"
    assert service["Service"]["SuccessExitStatus"] == str(NOT_BLESSED)
    assert service["Service"]["Type"] == "oneshot"
    assert timer["Timer"]["OnCalendar"] == "*-*-* 03:00:00"
    assert timer["Install"]["WantedBy"] == "timers.target"
