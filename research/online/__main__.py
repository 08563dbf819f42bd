"""`python -m research.online`: see `--help`."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.harness import Options, report
from pipeline_config import FEED
from ranker.config.pipeline import PipelineConfig
from research.online.ahead import rank_next_day
from research.online.arms import MODEL_ARMS, OURS
from research.online.behaviours import BEHAVIOURS
from research.online.drawing import draw
from research.online.loop import Loop, run_loop
from research.online.page import figures, markdown
from research.online.results import OnlineResults
from research.options import ProgramParser, command, show_and_write, work_folder
from research.quality.models import ComparedModel
from research.quick import quick_config

_PARTS = {
    "ahead": "train on the production ranker's log, and rank the next day",
    "loop": "every arm trains every day on its own log",
}
_TITLES = {
    "ahead": "Ranking the next day: an A/B test in the simulator",
    "loop": "In the loop: an A/B test in which every arm learns from its own log",
}


@dataclass(frozen=True)
class _Size:
    """Impressions of a feed (`ahead`) or of one of its days (`loop`), days that are ranked, and seeds."""

    impressions: int
    days: int
    seeds: int


_SIZES = {"ahead": _Size(400_000, 1, 5), "loop": _Size(10_000, 14, 5)}
_QUICK_SIZES = {"ahead": _Size(16_000, 1, 1), "loop": _Size(4_000, 2, 1)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the A/B test."""
    parser = ProgramParser(
        "research.online",
        "An A/B test in the simulator: arms rank the same sessions, and their engagement is compared.",
        picture="a picture per behaviour",
        continues_from="what is in the work folder",
    )
    parser.add_argument(
        "part", choices=list(_PARTS), help="; ".join(f"{part}: {what}" for part, what in _PARTS.items())
    )
    parser.add_quick()
    parser.add_argument(
        "--behaviour",
        nargs="+",
        choices=list(BEHAVIOURS),
        default=["default"],
        help="; ".join(f"{name}: {behaviour.title}" for name, behaviour in BEHAVIOURS.items()) + " (default)",
    )
    parser.add_number("--seeds", "feeds, each with its own trainings (5)")
    ahead, loop = _SIZES["ahead"], _SIZES["loop"]
    parser.add_number(
        "--impressions",
        f"ahead: of each feed, over all days ({ahead.impressions:,}); loop: of each day ({loop.impressions:,})",
    )
    parser.add_number("--days", f"loop: days that are ranked ({loop.days})")
    parser.add_some_of("--arms", MODEL_ARMS, "only these models")
    parser.add_number("--processes", "ahead: trainings at a time (1)", default=1)
    parser.add_work()
    options = parser.parse_args(arguments)
    if OURS not in options.arms:
        parser.error(f"--arms: name {OURS!r}, as the figures are about it")
    if options.days and options.part == "ahead":
        parser.error("--days: `ahead` ranks one day; the option is for `loop`")
    console = Console()
    usual = (_QUICK_SIZES if options.quick else _SIZES)[options.part]
    size = _Size(options.impressions or usual.impressions, options.days or usual.days, options.seeds or usual.seeds)
    models = {name: model for name, model in MODEL_ARMS.items() if name in options.arms}
    with work_folder(options, "online") as work:
        results = {
            name: _run(options.part, name, _config(options.quick), size, models, work, options.processes, console)
            for name in options.behaviour
        }
    pictures = {}
    if options.page:
        for name, result in results.items():
            pictures[name] = options.page.file.with_name(f"{options.page.file.stem}_{name}.svg")
            draw(result, pictures[name])
    text = _command(options.part, options.quick, options.behaviour, size, list(models))
    tables = markdown(list(results.values()), text, [file.name for file in pictures.values()])
    show_and_write(options.page, _TITLES[options.part], tables, console)
    made = [figure for name, result in results.items() for figure in figures(result, name)]
    report(f"online, {options.part}", made, Options(options.quick, options.json), console)


def _config(quick: bool) -> PipelineConfig:
    return quick_config() if quick else FEED


def _run(
    part: str,
    behaviour: str,
    config: PipelineConfig,
    size: _Size,
    models: dict[str, ComparedModel],
    work: Path,
    processes: int,
    console: Console,
) -> OnlineResults:
    seeds = range(1, size.seeds + 1)
    if part == "loop":
        return run_loop(Loop(config, BEHAVIOURS[behaviour], size.impressions, size.days, models, work), seeds, console)
    return rank_next_day(config, BEHAVIOURS[behaviour], size.impressions, seeds, models, work, processes, console)


def _command(part: str, quick: bool, behaviours: Sequence[str], size: _Size, arms: Sequence[str]) -> str:
    return command(
        "research.online",
        part,
        *(("--quick",) if quick else ()),
        *("--behaviour", *behaviours, "--seeds", str(size.seeds), "--impressions", str(size.impressions)),
        *(("--days", str(size.days)) if part == "loop" else ()),
        *(("--arms", *arms) if len(arms) < len(MODEL_ARMS) else ()),
    )


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main()
