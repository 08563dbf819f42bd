"""What all command lines share."""

import argparse
import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NoReturn

import pytest
from rich.console import Console
from rich.table import Table

from ranker.command_line import (
    UsageError,
    day,
    exit_with,
    explained,
    in_markup,
    local_path,
    make_console,
    number,
    output_file,
    port,
    print_error,
    readable_file,
    readable_folder,
    readable_text,
    sleep_while_waiting,
    whole_number,
    writable_file,
    writable_folder,
)

HOSTILE = (
    *(
        "[bold]",
        "[/]",
        "[red]x[/red]",
        "a[b]\\",
        "\\[",
        ":smile:",
        "C:\\[x]:bug:",
        "https://a:b@c:1",
        "[link=x]y[/link]",
        "$$",
    ),
    *("{x}", "%s", "[not a tag", "]]", "[@click=quit]", "123"),
)


def shown(consoles: Console, file: io.StringIO, text: object) -> str:
    consoles.print(text, soft_wrap=True)
    return file.getvalue().removesuffix("\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_text_in_markup_is_text(text: str) -> None:
    for make in (make_console, Console):
        file = io.StringIO()
        assert shown(make(file=file), file, f"[green]{in_markup(text)}[/] end") == f"{text} end"


@pytest.mark.parametrize("text", HOSTILE)
def test_text_in_a_table_is_text(text: str) -> None:
    file = io.StringIO()
    table = Table(title=in_markup(text), box=None)
    table.add_column(in_markup(text))
    table.add_row(in_markup(text))
    make_console(file).print(table)
    assert [line.strip() for line in file.getvalue().splitlines()] == [text] * 3


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (2, 2), (None, None)])
def test_a_command_ends_with_its_exit_status(status: int | None, expected: int | None) -> None:
    with pytest.raises(SystemExit) as end:
        exit_with(lambda: status)
    assert end.value.code == expected


def test_a_command_that_is_interrupted_ends_in_one_word(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> NoReturn:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as end:
        exit_with(interrupted)
    assert end.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_control_characters_and_long_texts_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    file = io.StringIO()
    text = "two\nlines \x1b[31m" + "x" * 70_000
    printed = shown(make_console(file), file, in_markup(text))
    assert printed.startswith(r"two lines \x1b[31mxxx")
    assert len(printed) <= 1_500
    print_error(text)
    assert capsys.readouterr().err == f"error: {printed}\n"


def test_errors_of_the_operating_system_are_sentences() -> None:
    assert explained(PermissionError(errno.EACCES, "Permission denied", "/a")) == "/a: Permission denied"
    assert explained(OSError(errno.EXDEV, "Invalid cross-device link", "/a", None, "/b")) == (
        "/a and /b: Invalid cross-device link"
    )
    assert explained(OSError(errno.ENOSPC, "No space left on device")) == "No space left on device"
    assert explained(FileExistsError("it is there")) == "it is there"
    assert explained(ValueError()) == "ValueError"


def refused(read: Callable[[str], object], text: str) -> str:
    with pytest.raises(argparse.ArgumentTypeError) as refusal:
        read(text)
    return str(refusal.value)


@pytest.mark.parametrize(
    "text", ["0", "-1", "65536", "99999", "8500.0", "nan", "", "http", "\u0663", "1" * 70_000, "+80"]
)
def test_what_is_no_port_is_refused(text: str) -> None:
    assert "is not a port; ports are 1 to 65535" in refused(port, text)
    assert len(refused(port, text)) < 200


def test_ports_numbers_and_days_are_read() -> None:
    assert [port(text) for text in ("1", "8500", "65535")] == [1, 8500, 65535]
    assert [whole_number(-5, 10)(text) for text in ("-5", "0", "10")] == [-5, 0, 10]
    assert [number(0.0, 2.0)(text) for text in ("0", "1e-3", "2")] == [0.0, 0.001, 2.0]
    assert day("2024-02-29") == date(2024, 2, 29)


@pytest.mark.parametrize("text", ["0", "11", "-1", "1.5", "nan", "inf", "", "one", "1e3", "9" * 70_000, "\u0663"])
def test_what_is_no_whole_number_in_range_is_refused(text: str) -> None:
    assert "is not an integer from 1 to 10" in refused(whole_number(1, 10), text)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "-inf", "1e999", "101", "", "one"])
def test_what_is_no_number_in_range_is_refused(text: str) -> None:
    assert "is not a number above 0 to 100" in refused(number(0.0, 100.0, above=True), text)


@pytest.mark.parametrize("text", ["2022-02-30", "20220205", "2022-2-5", "", "yesterday", "2022-02-05T00:00:00"])
def test_what_is_no_day_is_refused(text: str) -> None:
    assert refused(day, text) == f"{text!r} is not a day; write it as YYYY-MM-DD"


def test_paths_that_can_be_used_are_returned_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "odd [1] * ? 100% 日本"
    file.write_text("text")
    assert readable_folder("--in", tmp_path) == tmp_path
    assert readable_file("--in", file) == file
    assert readable_text("--in", file) == "text"
    assert writable_file("--out", file) == file
    assert writable_file("--out", tmp_path / "a" / "b.txt") == tmp_path / "a" / "b.txt"
    assert writable_folder("--out", tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert os.listdir(tmp_path) == [file.name]


@pytest.mark.parametrize("path", ["", "folder", "folder/new"])
def test_relative_paths_are_those_of_the_working_folder(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert writable_folder("--out", Path(path)) == Path(path)


@pytest.mark.parametrize("check", [readable_folder, readable_file, readable_text, writable_folder, writable_file])
@pytest.mark.parametrize(
    "path",
    [
        "link",
        "link/below",
        "loop",
        "file/below",
        "x" * 300,
        "s3://bucket/x",
        "a\nb",
        "\x00",
        "\udc80",
        "/proc/1/nothing/new",
    ],
)
def test_paths_that_cannot_be_used_are_refused_in_a_sentence(
    check: Callable[[str, Path], object], path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("link").symlink_to("nowhere")
    Path("loop").symlink_to("loop")
    with pytest.raises(UsageError, match=r"^--option ") as refusal:
        check("--option", Path(path))
    assert len(str(refusal.value).splitlines()) == 1
    assert sorted(os.listdir(tmp_path)) == ["file", "link", "loop"]


def test_a_file_is_no_folder_and_the_reverse(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for check in (readable_folder, writable_folder):
        with pytest.raises(UsageError, match="is a file, not a folder"):
            check("--option", file)
    for check_file in (readable_file, writable_file):
        with pytest.raises(UsageError, match="is a folder, not a file"):
            check_file("--option", tmp_path)
    with pytest.raises(UsageError, match="is a device"):
        writable_file("--option", Path("/dev/null"))


def test_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="it is not text in UTF-8"):
        readable_text("--option", tmp_path / "file")


@pytest.mark.parametrize("text", ["", " ", "\t"])
def test_an_empty_path_is_not_the_current_folder(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"^the path is empty; write \. for the current folder$"):
        local_path(text)
    assert local_path(".") == Path()


def test_an_output_file_that_cannot_be_written_is_refused_as_an_option(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert output_file(str(tmp_path / "file")) == tmp_path / "file"
    for path, reason in ((tmp_path, "it is a folder, not a file"), (tmp_path / "file" / "figures.json", "is a file")):
        with pytest.raises(argparse.ArgumentTypeError, match=reason):
            output_file(str(path))


def test_threads_sleep_while_they_wait_unless_the_user_decided_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    sleep_while_waiting()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    sleep_while_waiting()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


@pytest.mark.slow
def test_a_command_line_decides_it_before_xgboost_is_loaded() -> None:
    """OpenMP reads its variables only when it is loaded."""
    modules = "pipeline.local.cli, pipeline.kubeflow.entrypoint, pipeline.compare, pipeline.tune.cli"
    program = f"import sys, {modules}; print('xgboost' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True)
    assert run.stdout == "False\n"
