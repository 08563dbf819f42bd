"""What a day of many impressions needs: a page of cores, memory, hours and money, from measured rates.

    uv run python -m benchmarks.pipeline --complete-runs 1000000 5000000 --json FILE
    uv run python -m benchmarks.capacity --figures FILE --page docs/capacity.md

A component's CPU time is taken as a fixed part and a part for each impression, from complete runs of two sizes.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import pages
from benchmarks.harness import BenchmarkResults
from benchmarks.pages import Column, Page, page_of, words
from pipeline_config import FEED
from ranker.command_line import local_path
from ranker.documents import DocumentError

TITLE = "What a day of many impressions needs"
IMPRESSIONS_PER_DAY = (100_000_000, 1_000_000_000)
OTHERS = "the others"
"""The components that read no rows, and work on one core."""

_PROGRAM = "benchmarks.capacity"
_TOWERS = "TowerTrainer"
_DIVIDED_BY = {"ForestTrainer": "XGBoost on Dask", _TOWERS: "TensorFlow's workers"}
_BEAM = ("FeedLogGen", "StatisticsGen", "Transform", "LeafEncoder", "Evaluator")
_SECONDS_PER_HOUR = 3600
_MILLION = 1_000_000


@dataclass(frozen=True)
class Prices:
    """What is assumed about the cluster.

    Attributes:
        hours: in which a run has to end.
        per_core_hour: price of a core for an hour, with its share of memory.
    """

    hours: float
    per_core_hour: float


@dataclass(frozen=True)
class Line:
    """A cost that grows with the size: `fixed` + `slope` * size."""

    fixed: float
    slope: float

    @staticmethod
    def through(small: tuple[float, float], large: tuple[float, float]) -> "Line":
        """The line through two (size, cost); neither part is negative, as noise could make it."""
        slope = max(0.0, (large[1] - small[1]) / (large[0] - small[0]))
        return Line(max(0.0, large[1] - slope * large[0]), slope)

    def at(self, size: float) -> float:
        """The cost at a size."""
        return self.fixed + self.slope * size


@dataclass(frozen=True)
class Measured:
    """Complete runs of two sizes.

    Attributes:
        impressions: of the small and the large run.
        core_seconds: of each component, by its work; see `work`. What reads no rows does not grow.
        gib: peak memory of the largest process, by impressions.
    """

    impressions: tuple[float, float]
    core_seconds: dict[str, Line]
    gib: Line

    @staticmethod
    def of(results: BenchmarkResults) -> "Measured":
        """From the figures of `benchmarks.pipeline`, of its two largest complete runs.

        Raises:
            ValueError: they have no complete runs.
        """
        figures = {figure.name: figure for figure in results.figures}
        sizes = [figure for name, figure in figures.items() if name.startswith("impressions_")]
        if not sizes:
            raise ValueError("no complete runs are among the figures; `python -m benchmarks.pipeline --json` has them")
        largest = max(sizes, key=lambda figure: figure.ours)
        pair = largest.name.removeprefix("impressions")
        small, large = largest.rival, largest.ours
        memory = figures[f"memory{pair}"]
        core_seconds = {
            name: Line.through((work(name, small), figure.rival), (work(name, large), figure.ours))
            if _divided_by(name)
            else Line(figure.ours, 0.0)
            for title, figure in figures.items()
            if title.startswith(f"core_seconds{pair}.")
            for name in [title.rpartition(".")[2]]
        }
        return Measured((small, large), core_seconds, Line.through((small, memory.rival), (large, memory.ours)))


@dataclass(frozen=True)
class Need:
    """What one component needs in a run: core hours, and hours on all cores."""

    component: str
    per_million: float
    core_hours: float
    hours: float
    price: float


@dataclass(frozen=True)
class Capacity:
    """What a run needs.

    Attributes:
        impressions: in the feed log's window.
        cores: that work on it, each with a process.
        gib: memory of all processes together.
        needs: by component, in their order, and of the others.
    """

    impressions: float
    cores: int
    gib: float
    needs: tuple[Need, ...]

    @property
    def total(self) -> Need:
        """All components together."""
        return Need(
            "total",
            sum(need.per_million for need in self.needs),
            sum(need.core_hours for need in self.needs),
            sum(need.hours for need in self.needs),
            sum(need.price for need in self.needs),
        )


class TooFewHoursError(ValueError):
    """What works on one core alone takes longer than a run may."""


def work(component: str, impressions: float) -> float:
    """What a component's cost grows with: the impressions of a run, for the towers in each pass over them."""
    if component != _TOWERS:
        return impressions
    trained = round(impressions * FEED.train_days / (FEED.train_days + 1))
    return impressions * FEED.training.length(trained).epochs


def capacity(measured: Measured, impressions: float, prices: Prices) -> Capacity:
    """What a run over a window of `impressions` needs, so that it ends in the hours that `prices` gives it.

    Raises:
        TooFewHoursError: it cannot, on any number of cores.
    """
    core_hours = {
        name: line.at(work(name, impressions)) / _SECONDS_PER_HOUR for name, line in measured.core_seconds.items()
    }
    alone = {name: hours for name, hours in core_hours.items() if not _divided_by(name)}
    divided = sum(core_hours.values()) - sum(alone.values())
    left = prices.hours - sum(alone.values())
    if left <= 0:
        raise TooFewHoursError(
            f"{prices.hours:g} hours are too few: the components that work on one core take {sum(alone.values()):.3g}"
        )
    cores = max(1, math.ceil(divided / left))
    needs = [
        Need(
            name,
            _MILLION * measured.core_seconds[name].slope * work(name, impressions) / impressions,
            hours,
            hours / cores,
            prices.per_core_hour * hours,
        )
        for name, hours in core_hours.items()
        if name not in alone
    ]
    hours = sum(alone.values())
    # The other cores are paid for while one works alone.
    needs.append(Need(OTHERS, 0.0, hours, hours, prices.per_core_hour * hours * cores))
    return Capacity(impressions, cores, cores * measured.gib.fixed + measured.gib.slope * impressions, tuple(needs))


def markdown(results: BenchmarkResults, prices: Prices) -> str:
    """The generated part of the page.

    Raises:
        ValueError: as in `Measured.of` and `capacity`.
    """
    measured = Measured.of(results)
    small, large = (pages.count(size) for size in measured.impressions)
    days = FEED.train_days + 1
    command = "uv run python -m benchmarks.capacity --figures docs/pipeline_costs.json --page docs/capacity.md"
    blocks = [
        pages.origin(command),
        f"Measured: complete cold starts of the built-in feed's config on {small} and {large} impressions, on "
        f"{results.machine.cpus} cores ({results.machine.processor}). The CPU time of a component is a fixed part and "
        "a part for each impression, of TowerTrainer for each impression of an epoch. Everything else on this page is "
        "computed from those.",
        f"Assumed: {prices.per_core_hour:g} dollars for a core and its memory for an hour; a run has {prices.hours:g} "
        f"hours; its window is {days} days, each of the size in the heading. The work divides evenly among the cores, "
        "and so does what grows with it in memory.",
    ]
    for per_day in IMPRESSIONS_PER_DAY:
        needed = capacity(measured, per_day * days, prices)
        total = needed.total
        blocks += [
            pages.heading(f"{_in_words(per_day)} impressions a day"),
            f"A cold start on {_in_words(needed.impressions)} impressions: "
            f"{pages.counted(needed.cores, 'core')}, {pages.count(needed.gib)} GiB of memory, "
            f"{pages.decimal(total.hours, 1)} hours, {pages.count(total.price)} dollars.",
            pages.table(_columns(), [*needed.needs, total]),
        ]
    return pages.join(blocks)


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the page."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {_PROGRAM}", description="What a day of many impressions needs, from measured rates."
    )
    parser.add_argument(
        "--figures", type=local_path, required=True, metavar="FILE", help="the JSON of benchmarks.pipeline"
    )
    parser.add_argument("--page", type=page_of(_PROGRAM), required=True, metavar="FILE", help="the page to write")
    parser.add_argument(
        "--hours", type=_above_zero, default=4.0, help="hours in which a run has to end (default: %(default)s)"
    )
    parser.add_argument(
        "--price", type=_above_zero, default=0.05, help="dollars for a core for an hour (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    try:
        results = BenchmarkResults.from_json(options.figures.read_text(encoding="utf-8"), str(options.figures))
        generated = markdown(results, Prices(options.hours, options.price))
    except TooFewHoursError as error:
        parser.error(f"--hours: {error}")
    except (OSError, DocumentError, ValueError) as error:
        parser.error(f"--figures: {error}")
    page: Page = options.page
    page.write(TITLE, generated)
    return 0


def _in_words(impressions: float) -> str:
    """A number such as 800 million or 8 billion."""
    millions = impressions / _MILLION
    return f"{millions:g} million" if millions < 1000 else f"{millions / 1000:g} billion"


def _divided_by(component: str) -> str:
    """What divides the component's work among cores; nothing for one that works on one core alone."""
    return "Beam" if component in _BEAM else _DIVIDED_BY.get(component, "")


def _columns() -> list[Column[Need]]:
    return [
        words("component", lambda need: need.component),
        words("divided by", lambda need: "" if need.component == "total" else _divided_by(need.component) or "–"),
        Column("core seconds per million impressions", lambda need: pages.decimal(need.per_million, 1)),
        Column("core hours", lambda need: pages.decimal(need.core_hours, 1)),
        Column("hours", lambda need: pages.decimal(need.hours, 2)),
        Column("dollars", lambda need: pages.decimal(need.price, 2)),
    ]


def _above_zero(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


if __name__ == "__main__":
    main()
