"""Shared by all benchmarks: the command line, interleaved timing, the table, and the JSON of figures."""

import argparse
import logging
import os
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ranker.command_line import output_file
from ranker.documents import Number, read_json, write_json
from ranker.files import write_text


@dataclass(frozen=True)
class Figure:
    """Our measurement compared with a rival's, in the same unit.

    Attributes:
        name: the figure's key in the JSON.
        ours: our measurement.
        rival: the rival's measurement, on the same machine in the same run.
        unit: the unit of both.
        target: the target of the ratio ours / rival.
        target_is_least: whether the target is a lower limit; otherwise it is an upper limit.
        note: what is needed to interpret the figure.
    """

    name: str
    ours: float
    rival: float
    unit: str
    target: float | None = None
    target_is_least: bool = True
    note: str = ""

    @property
    def ratio(self) -> float:
        """Our measurement divided by the rival's."""
        return self.ours / self.rival

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None without a target."""
        if self.target is None:
            return None
        return self.ratio >= self.target if self.target_is_least else self.ratio <= self.target


@dataclass(frozen=True)
class Machine:
    """The machine of a benchmark.

    Attributes:
        cpus: number of logical processors; None if unknown.
        processor: its architecture.
        python: version of Python.
    """

    cpus: int | None
    processor: str
    python: str

    @staticmethod
    def here() -> "Machine":
        """This machine."""
        return Machine(os.cpu_count(), platform.machine(), platform.python_version())


@dataclass(frozen=True)
class BenchmarkResults:
    """The results of a benchmark.

    Attributes:
        benchmark: its title.
        quick: whether it ran on few rows, so that the figures are rough.
        machine: the machine.
        figures: in the order of the table.
    """

    benchmark: str
    quick: bool
    machine: Machine
    figures: tuple[Figure, ...]

    def to_json(self) -> str:
        """`{"benchmark", "quick", "machine", "figures": {name: {"ours", "rival", "ratio", …}}}`, indented."""
        figures = {figure.name: _StoredFigure.of(figure) for figure in self.figures}
        return write_json(_StoredResults(self.benchmark, self.quick, self.machine, figures), indent=2)

    @staticmethod
    def from_json(text: str, name: str = "figures.json") -> "BenchmarkResults":
        """Reads the output of `to_json`.

        The file holds the target and whether it is reached, but not whether the ratio should be at least or at most the
        target. This follows from the two; where the ratio equals the target, the target counts as a lower limit.

        Args:
            text: the content of the file.
            name: of the file, for the message.

        Raises:
            DocumentError: the file is damaged; the message names the file and the field.
        """
        stored = read_json(_StoredResults, text, name)
        figures = tuple(figure.figure(title) for title, figure in stored.figures.items())
        return BenchmarkResults(stored.benchmark, stored.quick, stored.machine, figures)


@dataclass(frozen=True)
class _StoredFigure:
    ours: Number
    rival: Number
    ratio: Number
    unit: str
    target: float | None
    reached: bool | None
    note: str

    @staticmethod
    def of(figure: Figure) -> "_StoredFigure":
        return _StoredFigure(
            figure.ours, figure.rival, figure.ratio, figure.unit, figure.target, figure.reached, figure.note
        )

    def figure(self, name: str) -> Figure:
        is_least = self.target is None or self.reached is (self.ratio >= self.target)
        return Figure(name, self.ours, self.rival, self.unit, self.target, is_least, self.note)


@dataclass(frozen=True)
class _StoredResults:
    benchmark: str
    quick: bool
    machine: Machine
    figures: dict[str, _StoredFigure]


@dataclass(frozen=True)
class Options:
    """The command line of a benchmark: `--quick` for a small run, `--json FILE` to write the figures."""

    quick: bool
    json: Path | None


def option_parser(
    program: str, description: str, quick: str = "fewer rows: shows that it runs, measures roughly"
) -> argparse.ArgumentParser:
    """A parser of the options that every benchmark has.

    Args:
        program: the module, as in `python -m benchmarks.serving`.
        description: what it measures.
        quick: what `--quick` makes small.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json", type=output_file, metavar="FILE", help="write the figures there as JSON")
    return parser


def parse_options(program: str, description: str, arguments: Sequence[str] | None = None) -> Options:
    """Reads the command line of a benchmark without other options."""
    parsed = option_parser(program, description).parse_args(arguments)
    return Options(parsed.quick, parsed.json)


def run_program(main: Callable[[], object]) -> None:
    """Runs a program from the command line, without what libraries warn of."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main()


@contextmanager
def work_folder(options: argparse.Namespace, name: str) -> Iterator[Path]:
    """The folder of `--work`, or a temporary one whose name begins with `name`."""
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as temporary:
        yield (options.work or Path(temporary)).resolve()


def positive(text: str) -> int:
    """Reads a positive integer from the command line.

    Raises:
        argparse.ArgumentTypeError: it is not an integer of 1 or more.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def alternate(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each run. The runs are interleaved, so that a temporary slowdown affects all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def report(title: str, figures: Sequence[Figure], options: Options, console: Console | None = None) -> None:
    """Prints the figures as a table and, with `--json`, writes them as JSON."""
    console = console or Console()
    table = Table(title=f"{title}{' (quick)' if options.quick else ''}")
    for heading in ("figure", "ours", "rival", "unit", "ratio", "target"):
        table.add_column(heading, justify="left" if heading in ("figure", "unit") else "right")
    for figure in figures:
        table.add_row(
            figure.name, _short(figure.ours), _short(figure.rival), figure.unit, f"{figure.ratio:.2f}", _target(figure)
        )
    console.print(table)
    for figure in figures:
        if figure.note:
            console.print(f"{figure.name}: {figure.note}", highlight=False)
    if options.json is not None:
        write_figures(options.json, title, figures, options.quick)


def write_figures(path: Path, title: str, figures: Sequence[Figure], quick: bool) -> None:
    """Writes the results of a benchmark atomically; see `BenchmarkResults.to_json` for the form."""
    write_text(path, BenchmarkResults(title, quick, Machine.here(), tuple(figures)).to_json() + "\n")


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    sign = "≥" if figure.target_is_least else "≤"
    colour = "green" if figure.reached else "red"
    return f"[{colour}]{sign} {figure.target:g}[/]"
