"""The command line of the research programs: options that several programs have, each written once.

A program adds those that it has, and says what is its own: what is counted, what goes to the page, what is kept.
"""

import argparse
import shlex
from collections.abc import Iterable

from benchmarks.harness import positive
from benchmarks.pages import page_of
from ranker.command_line import local_path, output_file

DATA = ("kuairand", "feed")
"""The feed logs: KuaiRand-Pure, and the built-in feed."""


class ProgramParser(argparse.ArgumentParser):
    """A parser with `--json` and `--page`, which every program has; a method adds each of the others.

    Args:
        program: the module, as in `python -m research.quality`.
        description: what it measures.
        tables: what `--page` writes into the page.
        picture: what it writes into the page's folder, such as "a picture"; empty for nothing.
        continues_from: what a stopped run continues from; empty if it starts again.
    """

    def __init__(
        self, program: str, description: str, *, tables: str = "the tables", picture: str = "", continues_from: str = ""
    ) -> None:
        super().__init__(
            prog=f"python -m {program}",
            description=description,
            epilog=f"A stopped run continues from {continues_from}." if continues_from else None,
        )
        self.add_argument("--json", type=output_file, metavar="FILE", help="write the figures there as JSON")
        beside = f", and {picture} into its folder" if picture else ""
        self.add_argument(
            "--page", type=page_of(program), metavar="FILE", help=f"write {tables} into this page{beside}"
        )

    def add_quick(self, small: str = "a small feed, one seed") -> None:
        """Adds `--quick`; `small` says what is small then."""
        self.add_argument("--quick", action="store_true", help=f"{small}: a smoke test")

    def add_data(self, default: str) -> None:
        """Adds `--data`, one of `DATA`."""
        self.add_argument("--data", choices=DATA, default=default, help=f"the feed log ({default})")

    def add_number(self, name: str, meaning: str, default: int | None = None) -> None:
        """Adds a positive integer, such as `--seeds`; `meaning` says what is counted, and the default."""
        self.add_argument(name, type=positive, default=default, metavar="N", help=meaning)

    def add_some_of(self, name: str, names: Iterable[str], meaning: str) -> None:
        """Adds a choice of one or more names, such as `--models`; without the option, all are chosen."""
        choices = list(names)
        self.add_argument(
            name,
            nargs="+",
            choices=choices,
            default=choices,
            metavar="NAME",
            help=f"{meaning}: {', '.join(choices)} (all)",
        )

    def add_work(self, kept: str = "folder for intermediate results (a temporary folder)") -> None:
        """Adds `--work`; see `benchmarks.harness.work_folder`."""
        self.add_argument("--work", type=local_path, metavar="DIR", help=kept)


def seeds_of(options: argparse.Namespace, usual: int, quick: int = 1) -> range:
    """The seeds 1, 2, …: as many as `--seeds` says; without it the usual number, or that of a quick run."""
    return range(1, (options.seeds or (quick if options.quick else usual)) + 1)


def command(program: str, *words: str, quick: bool = False) -> str:
    """The command that writes a page, for the page.

    Example:
        >>> print(command("research.quality", "--models", "ours", "LR on leaves"))
        uv run python -m research.quality --models ours 'LR on leaves' --page FILE
    """
    size = ("--quick",) if quick else ()
    return shlex.join(["uv", "run", "python", "-m", program, *size, *words, "--page", "FILE"])
