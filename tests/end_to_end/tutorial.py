"""The code blocks of a tutorial, to be executed as a reader would."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.processes import run_python

_BLOCK = re.compile(
    r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, the file that it names or "", and its text."""

    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a Markdown page, in order."""
    return [Block(m["language"], m["title"] or "", m["text"]) for m in _BLOCK.finditer(page.read_text())]


def write_files(page: Path, project: Path) -> None:
    """Writes every block with a file's name into the project; what is there already is continued, as the page says."""
    for block in blocks(page):
        if block.title:
            with (project / block.title).open("a") as file:
                file.write(f"\n{block.text}" if file.tell() else block.text)


def commands(page: Path) -> Iterator[tuple[str, str]]:
    """Every command of the page, with what the page shows of its output; "" where it shows nothing."""
    found = blocks(page)
    for index, block in enumerate(found):
        if block.language == "bash":
            shown = found[index + 1] if index + 1 < len(found) else None
            *silent, last = block.text.splitlines()
            yield from ((line, "") for line in silent)
            yield last, shown.text if shown and shown.language == "text" else ""


def execute(command: str, project: Path) -> str:
    """Runs one command in the project, with this interpreter in place of `uv run python`; returns what it printed."""
    command, _, target = command.partition(" >> ")
    words = shlex.split(command)
    if words[:3] == ["uv", "run", "python"]:
        done = run_python(words[3:], project)
        assert done.status == 0, f"{command}: {done.output}"
        return done.output
    printed = subprocess.run(words, cwd=project, stdout=subprocess.PIPE, text=True, check=True).stdout
    if target:
        with (project / target).open("a") as file:
            file.write(printed)
    return printed
