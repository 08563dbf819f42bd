"""Trains and judges the variants of a study, and writes tables, pictures and figures."""

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.harness import Options, report, work_folder
from benchmarks.pages import show_and_write
from datasets.synthetic import generate
from pipeline_config import FEED, KUAIRAND
from ranker.config.documents import to_json
from ranker.config.pipeline import PipelineConfig
from research.kuairand import KUAIRAND_DAYS, converted_kuairand
from research.options import command, seeds_of
from research.quick import feed_config
from research.studies.comparisons import comparison
from research.studies.measuring import measured
from research.studies.page import draw, markdown
from research.studies.preparing import load, prepare
from research.studies.results import StudyResults
from research.studies.running import VariantTraining, run
from research.studies.studies import Study

_QUICK_ROWS = 6_000
_QUICK_SEEDS = 2


def run_study(study: Study, wanted: Sequence[str], options: argparse.Namespace) -> None:
    """Runs a study.

    Args:
        study: the study.
        wanted: its feed logs.
        options: those of `python -m research.studies`.
    """
    seeds = seeds_of(options, usual=study.seeds, quick=_QUICK_SEEDS)
    console = Console()
    with work_folder(options, "studies") as work:
        found = [
            _results(study, data, config, days, log, seeds, work, options.processes, console)
            for data in wanted
            for config, log, days in _data(study, data, options.quick, work, console)
        ]
    if not found:
        return
    pictures = {results.data: f"{study.name}_{results.data}.svg" for results in found if study.name == "variance"}
    data = ["--data", *options.data] if options.data and not options.quick else []
    size = ["--seeds", str(len(seeds))] if options.seeds else []
    tables = markdown(found, command("research.studies", study.name, *data, *size, quick=options.quick), pictures)

    def draw_all() -> None:
        for results in found:
            if results.data in pictures:
                draw(results, options.page.file.parent / pictures[results.data])

    show_and_write(options.page, study.title, tables, console, draw_all)
    made = [figure for results in found for figure in comparison(results).figures]
    report(f"study {study.name}", made, Options(options.quick, options.json), console)


def _data(
    study: Study, data: str, quick: bool, work: Path, console: Console
) -> list[tuple[PipelineConfig, Path, tuple[date, ...]]]:
    """The data set's config, feed log and held-out days; None if it is not on this machine."""
    if data == "kuairand":
        log = converted_kuairand(work, console)
        return [(KUAIRAND, log, KUAIRAND_DAYS[-study.kuairand_days :])] if log else []
    rows, days = _QUICK_ROWS if quick else study.feed_rows, FEED.train_days + study.feed_days
    log = work / f"feed-{rows}-{days}"
    made = generate(log, days=days, impressions_per_day=rows // (FEED.train_days + 1), seed=1)
    return [(feed_config(quick), log, tuple(day.day for day in made[-study.feed_days :]))]


def _results(
    study: Study,
    data: str,
    config: PipelineConfig,
    days: tuple[date, ...],
    log: Path,
    seeds: Sequence[int],
    work: Path,
    processes: int,
    console: Console,
) -> StudyResults:
    variants = study.variants(data)
    rows_config = study.prepared_by(data)(config)
    # Most variants do not change the forest and share its prepared days; the rows are the same for every forest.
    forests = {to_json(grown_by): grown_by for grown_by in (variant.forest(config) for variant in variants)}
    prepared = {
        key: [prepare(grown_by, rows_config, log, day, work / data, console) for day in days]
        for key, grown_by in forests.items()
    }
    folders = {variant.name: prepared[to_json(variant.forest(config))] for variant in variants}
    labels = np.concatenate([load(folder).day.test.labels for folder in folders[study.base]])
    trainings = {
        (variant.name, seed): [
            VariantTraining(study.name, data, variant.name, folder, seed, variant.forest(config))
            for folder in folders[variant.name]
        ]
        for variant in variants
        for seed in seeds
    }
    predictions = run([training for days in trainings.values() for training in days], work, processes, console)

    def pooled(variant: str, seed: int) -> np.ndarray:
        return np.concatenate([predictions[training] for training in trainings[variant, seed]])

    return StudyResults(
        study,
        data,
        tuple(day.isoformat() for day in days),
        len(seeds),
        len(labels),
        dict(zip(config.objective_names, labels.sum(axis=0).astype(int).tolist(), strict=True)),
        {v.name: measured(labels, [pooled(v.name, seed) for seed in seeds]) for v in variants},
    )
