"""Trains and judges the models of a command line, and writes tables, picture and figures."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks.harness import Options, report, work_folder
from benchmarks.pages import show_and_write
from datasets.synthetic import generate
from pipeline_config import FEED, KUAIRAND
from research.kuairand import KUAIRAND_DAYS, converted_kuairand
from research.options import command, seeds_of
from research.quality.ceiling import BayesOptimum
from research.quality.drawing import draw
from research.quality.models import MODELS, ComparedModel, features_alone
from research.quality.names import MODEL_NAMES, WITH_EFFECTS
from research.quality.page import CEILING, figures, markdown, title
from research.quality.random_effects.predicting import ours_with_effects
from research.quality.study import Feed, compare
from research.quick import feed_config

_ROWS, _QUICK_ROWS = 400_000, 12_000


def run(options: argparse.Namespace) -> None:
    """Runs the comparison; the options are those of `python -m research.quality`."""
    console = Console()
    seeds = seeds_of(options, usual=5)
    with work_folder(options, "quality") as work:
        if options.data == "feed" or options.quick:
            feed = _built_in(work, options.quick)
        elif log := converted_kuairand(work, console):
            feed = Feed("kuairand", KUAIRAND, tuple((log, day) for day in KUAIRAND_DAYS))
        else:
            return
        feed = replace(feed, trained_on=options.rows)
        models = _models(options.models, feed)
        results = compare(feed, models, list(seeds), work, options.processes, console)
    picture = options.page.picture if options.page else None
    size = [] if options.quick else ["--data", feed.name, "--seeds", str(len(seeds))]
    rows = ["--rows", str(options.rows)] if options.rows else []
    chosen = [] if len(options.models) == len(MODEL_NAMES) else ["--models", *options.models]
    text = command("research.quality", *size, *rows, *chosen, quick=options.quick)
    tables = markdown(results, text, picture.name if picture else None)
    show_and_write(options.page, title(feed.name), tables, console, picture and partial(draw, results, picture))
    report("quality", figures(results), Options(options.quick, options.json), console)


def _models(names: Sequence[str], feed: Feed) -> dict[str, ComparedModel]:
    log = feed.days[0][0]
    models = {name: ours_with_effects(log) if name == WITH_EFFECTS else MODELS[name] for name in names}
    if feed.name == "feed":
        models[CEILING] = ComparedModel(BayesOptimum(log), ("research.quality.ceiling",), features_alone)
    return models


def _built_in(work: Path, quick: bool) -> Feed:
    rows = _QUICK_ROWS if quick else _ROWS
    days = FEED.train_days + 1
    log = work / f"feed-{rows}"
    made = generate(log, days=days, impressions_per_day=rows // days, seed=1)
    return Feed("feed", feed_config(quick), ((log, made[-1].day),))
