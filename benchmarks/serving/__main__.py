"""`python -m benchmarks.serving`: see `--help`."""

import argparse
import logging
import os
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
from rich.console import Console

from benchmarks.harness import Figure, Options, report
from benchmarks.pages import page_of
from benchmarks.serving import (
    batches,
    forests,
    latency,
    objectives,
    passes,
    payload,
    progression,
    protocol,
    side_by_side,
    trace,
)
from benchmarks.serving import leaf_tables as tables
from benchmarks.serving.page import TITLE, ServingResults, draw, markdown
from benchmarks.serving.prepare import PreparedModel, configs, prepared
from benchmarks.serving.sessions import Session, Workshop
from pipeline_config import FEED
from ranker import keys
from ranker.command_line import local_path, output_file, sleep_while_waiting
from ranker.forest.graph import ForestLeaves


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    # XGBoost's threads would otherwise wait in busy loops while another side is measured.
    sleep_while_waiting()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving",
        description="Serving costs: the forest in the graph, the number of objectives, the source's progression, "
        "sessions side by side, sizes of requests, payload, latency, protocol, forms of the leaf table, a first pass, "
        "and a profile.",
    )
    parser.add_argument("--quick", action="store_true", help="few rows, trees and rounds: a smoke test")
    parser.add_argument("--json", type=output_file, metavar="FILE", help="write the figures there as JSON")
    parser.add_argument(
        "--page", type=page_of("benchmarks.serving"), metavar="FILE", help="write the tables into this page"
    )
    parser.add_argument("--charts", type=local_path, metavar="DIR", help="write the charts there")
    parser.add_argument(
        "--trace", type=local_path, metavar="DIR", help="keep the profiler's trace there, for TensorBoard"
    )
    parser.add_argument(
        "--work", type=local_path, metavar="DIR", help="keep the prepared models there (a temporary folder)"
    )
    parser.add_argument(
        "--before", type=local_path, metavar="DIR", help="a SavedModel of an earlier version, for the time to load one"
    )
    parser.add_argument(
        "--rivals",
        metavar="PYTHON",
        help="an interpreter with treelite, tl2cgen, onnxmltools, onnxruntime and xgboost, to compare with those",
    )
    options = parser.parse_args(arguments)
    console = Console()
    with tempfile.TemporaryDirectory(prefix="serving-benchmark-") as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        models = prepared(work.resolve(), options.quick, console)
        others = Others(options.before, options.rivals)
        results, figures = measure(work.resolve(), models, options.quick, options.trace, others, console)
    tables = markdown(results, figures, options.quick)
    console.print(tables, highlight=False, soft_wrap=True, markup=False)
    if options.page:
        options.page.write(TITLE, tables)
    if options.charts:
        draw(results, options.charts)
    report("serving", figures, Options(options.quick, options.json), console)


@dataclass(frozen=True)
class Others:
    """What is compared with only where it is given; see `--help`."""

    before: Path | None = None
    rivals: str | None = None


def measure(
    work: Path,
    models: dict[str, PreparedModel],
    quick: bool,
    trace_folder: Path | None,
    others: Others,
    console: Console,
) -> tuple[ServingResults, list[Figure]]:
    """Runs all sections, one after the other."""
    results, figures = ServingResults(), []
    for threads in sorted({1, os.cpu_count() or 1}):
        console.print(f"the forest in the graph, {threads} thread(s)")
        costs = forests.measured(threads, quick)
        results.forests += costs
        figures += forests.figures(costs, "" if threads == 1 else ".all_cores")
        console.print(f"objectives, {threads} thread(s)")
        setups = objectives.measured(work, threads, quick, others.rivals)
        results.objectives += setups
        figures += objectives.figures(setups, "" if threads == 1 else ".all_cores")
    console.print("sessions side by side")
    results.side_by_side = side_by_side.measured(work, quick)
    figures += side_by_side.figures(results.side_by_side)
    console.print("sizes of requests")
    results.batches = batches.measured(work, 1, quick)
    figures += batches.figures(results.batches)
    workshop = Workshop(models[FEED.name], configs(quick)[FEED.name])
    session = workshop.session()
    console.print("progression")
    results.stages = progression.progression(workshop, quick)
    results.payloads = _payloads(workshop, session)
    console.print("forms of the leaf table")
    results.tables = tables.table_costs(workshop, models[FEED.name], session, quick)
    console.print("first and second pass")
    results.passes = passes.passes(workshop, models, session, quick, others.before)
    console.print("latency and throughput")
    model = Path(models[FEED.name].model)
    results.loads = latency.loads(model, session.features, quick)
    console.print("protocol")
    results.protocol = protocol.protocol_costs(model, session, quick)
    figures += protocol.figures(results.protocol)
    served = tf.saved_model.load(str(model))
    results.ops = trace.op_times(lambda: served.signatures["score_features"](**session.features), trace_folder)
    figures += progression.figures(results.stages)
    figures += payload.figures(results.payloads)
    figures += tables.figures(results.tables)
    figures += passes.figures(results.passes)
    return results, figures


def _payloads(workshop: Workshop, session: Session) -> list[payload.Payload]:
    leaves = ForestLeaves(workshop.forest)
    found = leaves(session.transformed[keys.FOREST_FEATURES]).numpy()
    features = {name: tensor.numpy() for name, tensor in session.features.items()}
    examples = session.examples.numpy().tolist()
    return [
        payload.payload(examples, features, found, workshop.forest.first_leaf, leaves.local_leaf_dtype, candidates)
        for candidates in payload.CANDIDATES
    ]


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main()
