"""`python -m research.quality`: see `--help`."""

import argparse
import logging
import shlex
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.harness import Options, positive, report
from benchmarks.pages import page_of
from datasets.synthetic import generate
from pipeline_config import FEED, KUAIRAND
from ranker.command_line import local_path, output_file
from research.kuairand import KUAIRAND_DAYS, converted_kuairand
from research.quality.ceiling import BayesOptimum
from research.quality.drawing import draw
from research.quality.models import MODELS, ComparedModel, features_alone
from research.quality.page import CEILING, figures, markdown, title
from research.quality.study import Feed, compare
from research.quick import quick_config

_ROWS, _QUICK_ROWS = 400_000, 12_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description="Our model's quality compared with the usual alternatives, on the same rows and features.",
        epilog="A stopped run continues from the predictions in the work folder.",
    )
    parser.add_argument("--quick", action="store_true", help="a small feed, one seed: a smoke test")
    parser.add_argument("--json", type=output_file, metavar="FILE", help="write the figures there as JSON")
    parser.add_argument(
        "--page",
        type=page_of("research.quality"),
        metavar="FILE",
        help="write the tables into this page, and a picture into its folder",
    )
    parser.add_argument("--data", choices=("kuairand", "feed"), default="kuairand", help="the feed log (kuairand)")
    parser.add_argument(
        "--seeds", type=positive, metavar="N", help="trainings of each model per day (5; 1 with --quick)"
    )
    parser.add_argument(
        "--rows", type=positive, metavar="N", help="train on about N impressions, those of some viewers (all)"
    )
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS), help="only these models")
    parser.add_argument(
        "--processes", type=positive, default=1, metavar="N", help="seeds at a time, one thread each (1)"
    )
    parser.add_argument(
        "--work", type=local_path, metavar="DIR", help="folder for intermediate results (a temporary folder)"
    )
    options = parser.parse_args(arguments)
    if "ours" not in options.models or len(options.models) < 2:
        parser.error("--models: name `ours` and at least one other, as differences are ours minus another's")
    console = Console()
    models = {name: MODELS[name] for name in options.models}
    seeds = range(1, (options.seeds or (1 if options.quick else 5)) + 1)
    with tempfile.TemporaryDirectory(prefix="quality-benchmark-") as temporary:
        work = options.work or Path(temporary)
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
    chosen = "" if len(options.models) == len(MODELS) else f" --models {shlex.join(options.models)}"
    size = " --quick" if options.quick else f" --data {feed.name} --seeds {len(seeds)}"
    size += f" --rows {options.rows}" if options.rows else ""
    command = f"uv run python -m research.quality{size}{chosen} --page FILE"
    tables = markdown(results, command, picture.name if picture else None)
    console.print(tables, highlight=False, soft_wrap=True, markup=False)
    if picture:
        draw(results, picture)
        options.page.write(title(feed.name), tables)
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
