"""All sections of the serving benchmark, one after the other."""

import os
from pathlib import Path

import tensorflow as tf
from rich.console import Console

from benchmarks.harness import Figure
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
from benchmarks.serving.batches import BatchCost
from benchmarks.serving.forests import ForestCost
from benchmarks.serving.objectives import ObjectiveCost
from benchmarks.serving.others import Others
from benchmarks.serving.page import ServingResults
from benchmarks.serving.prepare import PreparedModel, configs
from benchmarks.serving.sessions import Session, Workshop
from benchmarks.serving.side_by_side import Throughput
from benchmarks.serving.worker import Task, measured
from pipeline_config import FEED
from ranker import keys
from ranker.forest.graph import ForestLeaves


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
        costs = measured("forests", ForestCost, Task(work, threads, quick))
        results.forests += costs
        figures += forests.figures(costs, "" if threads == 1 else ".all_cores")
        console.print(f"objectives, {threads} thread(s)")
        setups = measured("objectives", ObjectiveCost, Task(work, threads, quick, others.rivals))
        results.objectives += setups
        figures += objectives.figures(setups, "" if threads == 1 else ".all_cores")
    console.print("sessions side by side")
    results.side_by_side = measured("side_by_side", Throughput, Task(work, 1, quick))
    figures += side_by_side.figures(results.side_by_side)
    console.print("sizes of requests")
    results.batches = measured("batches", BatchCost, Task(work, 1, quick))
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
