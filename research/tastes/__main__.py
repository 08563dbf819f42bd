"""`python -m research.tastes`: see `--help`."""

import logging
import warnings
from collections.abc import Sequence

from rich.console import Console

from benchmarks.harness import Options, report
from pipeline_config import FEED
from research.online.behaviours import BEHAVIOURS
from research.options import ProgramParser, command, show_and_write, work_folder
from research.quick import quick_config
from research.tastes.drawing import draw
from research.tastes.effects import default_effects
from research.tastes.page import figures, markdown
from research.tastes.study import ARMS, rank_next_day

_PROGRAM = "research.tastes"
_ROWS, _QUICK_ROWS = 400_000, 8_000
_TITLE = "What hidden tastes are worth, and what is learnt of them"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the share of the gap that is closed."""
    parser = ProgramParser(
        _PROGRAM,
        "How much of what hidden tastes are worth do ids, histories and random effects bring?",
        picture="a picture",
        continues_from="what is in the work folder, which research.forest_share may share",
    )
    parser.add_quick()
    parser.add_number("--rows", f"impressions of each feed, over all days ({_ROWS:,})")
    parser.add_number("--seeds", "feeds, each with its own trainings (3)")
    parser.add_some_of("--arms", ARMS, "only these models")
    parser.add_work()
    options = parser.parse_args(arguments)
    console = Console()
    config = quick_config() if options.quick else FEED
    seeds = range(1, (options.seeds or (1 if options.quick else 3)) + 1)
    rows = options.rows or (_QUICK_ROWS if options.quick else _ROWS)
    arms = [arm for arm in ARMS if arm in options.arms]
    with work_folder(options, "tastes") as work:
        effects = default_effects(config)
        results = rank_next_day(config, BEHAVIOURS["default"], rows, seeds, arms, effects, work, console)
    picture = options.page.file.with_suffix(".svg") if options.page else None
    chosen = [] if len(arms) == len(ARMS) else ["--arms", *arms]
    size = [*(["--quick"] if options.quick else []), "--rows", str(rows), "--seeds", str(len(seeds))]
    tables = markdown(results, command(_PROGRAM, *size, *chosen), picture.name if picture else None)
    if picture:
        draw(results, picture)
    show_and_write(options.page, _TITLE, tables, console)
    report("tastes", figures(results), Options(options.quick, options.json), console)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main()
