"""`python -m research.quality`: see `--help`."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.harness import Options, report
from datasets.synthetic import generate
from pipeline_config import FEED, KUAIRAND
from research.kuairand import KUAIRAND_DAYS, converted_kuairand
from research.options import ProgramParser, command, show_and_write, work_folder
from research.quality.ceiling import BayesOptimum
from research.quality.drawing import draw
from research.quality.models import MODELS, ComparedModel, features_alone
from research.quality.page import CEILING, figures, markdown, title
from research.quality.study import Feed, compare
from research.quick import quick_config

_ROWS, _QUICK_ROWS = 400_000, 12_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    parser = ProgramParser(
        "research.quality",
        "Our model's quality compared with the usual alternatives, on the same rows and features.",
        picture="a picture",
        continues_from="the predictions in the work folder",
    )
    parser.add_quick()
    parser.add_data("kuairand")
    parser.add_number("--seeds", "trainings of each model per day (5; 1 with --quick)")
    parser.add_number("--rows", "train on about N impressions, those of some viewers (all)")
    parser.add_some_of("--models", MODELS, "only these models")
    parser.add_number("--processes", "seeds at a time, one thread each (1)", default=1)
    parser.add_work()
    options = parser.parse_args(arguments)
    if "ours" not in options.models or len(options.models) < 2:
        parser.error("--models: name `ours` and at least one other, as differences are ours minus another's")
    console = Console()
    models = {name: MODELS[name] for name in options.models}
    seeds = range(1, (options.seeds or (1 if options.quick else 5)) + 1)
    with work_folder(options, "quality") as work:
        if options.data == "feed" or options.quick:
            feed = _built_in(work, options.quick)
            models[CEILING] = ComparedModel(
                BayesOptimum(feed.days[0][0]), ("research.quality.ceiling",), features_alone
            )
        elif log := converted_kuairand(work, console):
            feed = Feed("kuairand", KUAIRAND, tuple((log, day) for day in KUAIRAND_DAYS))
        else:
            return
        feed = replace(feed, trained_on=options.rows)
        results = compare(feed, models, list(seeds), work, options.processes, console)
    picture = options.page.file.with_suffix(".svg") if options.page else None
    size = ["--quick"] if options.quick else ["--data", feed.name, "--seeds", str(len(seeds))]
    rows = ["--rows", str(options.rows)] if options.rows else []
    chosen = [] if len(options.models) == len(MODELS) else ["--models", *options.models]
    text = command("research.quality", *size, *rows, *chosen)
    tables = markdown(results, text, picture.name if picture else None)
    if picture:
        draw(results, picture)
    show_and_write(options.page, title(feed.name), tables, console)
    report("quality", figures(results), Options(options.quick, options.json), console)


def _built_in(work: Path, quick: bool) -> Feed:
    rows = _QUICK_ROWS if quick else _ROWS
    days = FEED.train_days + 1
    log = work / f"feed-{rows}"
    made = generate(log, days=days, impressions_per_day=rows // days, seed=1)
    config = quick_config() if quick else FEED
    return Feed("feed", config, ((log, made[-1].day),))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main()
