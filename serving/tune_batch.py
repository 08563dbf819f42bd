"""Finds the best number of candidates to score together on this machine.

    uv run python -m serving.tune_batch --models workdir/feed/serving_model [--budget-ms 50] [--write FILE]

A larger batch costs less per candidate until caches and cores are saturated, but its latency is higher. The tool scores
random candidates in batches of increasing size. Among the sizes whose 95th percentile of latency is within the budget,
it recommends the smallest one with a throughput within a tenth of the best. `--write` writes it to a batching
parameters file for TensorFlow Serving; a client splits sessions with `FeedRankerClient(mini_batch=…)`.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from ranker.command_line import UsageError, exit_with, local_path, make_console, number, print_error, writable_file
from ranker.files import write_text
from ranker.plain_text import sentence
from ranker.startup_lines import without_startup_lines

if TYPE_CHECKING:
    from tensorflow.core.protobuf import meta_graph_pb2

SIZES = (1, 8, 32, 64, 128, 256, 512, 1024, 2048)
_NEAR_BEST = 0.9
_SIGNATURE = "score_features"
_USAGE = 2


@dataclass(frozen=True)
class BatchCost:
    """The latency of a batch size.

    Attributes:
        size: candidates per batch.
        p50_ms: median latency in milliseconds.
        p95_ms: 95th percentile of the latency in milliseconds.
    """

    size: int
    p50_ms: float
    p95_ms: float

    @property
    def per_second(self) -> float:
        """Candidates per second when batches run one after another."""
        return 1000 * self.size / self.p50_ms


def measure(score: Callable[[int], object], sizes: Sequence[int], seconds: float) -> list[BatchCost]:
    """Times `score(size)` for all sizes in alternation, so that temporary slowness of the machine affects all of them.

    Args:
        score: scores a batch of the given size.
        sizes: the batch sizes.
        seconds: how long to measure; each size runs at least three times.
    """
    for size in sizes:
        score(size)
    taken: dict[int, list[float]] = {size: [] for size in sizes}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken[sizes[-1]]) < 3:
        for size in sizes:
            start = time.perf_counter()
            score(size)
            taken[size].append(1000 * (time.perf_counter() - start))
    return [BatchCost(size, *(float(p) for p in np.percentile(ms, [50, 95]))) for size, ms in taken.items()]


def recommend(costs: Sequence[BatchCost], budget_ms: float) -> BatchCost:
    """The smallest batch with a throughput within a tenth of the best, among those within the budget.

    If none is within the budget, the one with the lowest latency.
    """
    allowed = [cost for cost in costs if cost.p95_ms <= budget_ms]
    if not allowed:
        return min(costs, key=lambda cost: cost.p95_ms)
    best = max(cost.per_second for cost in allowed)
    return min((cost for cost in allowed if cost.per_second >= _NEAR_BEST * best), key=lambda cost: cost.size)


def batching_parameters(size: int, threads: int) -> str:
    """A batching parameters file for TensorFlow Serving."""
    return "\n".join(
        [
            f"# Written by `python -m serving.tune_batch` on a machine of {threads} cores.",
            f"max_batch_size {{ value: {size} }}",
            "# A request waits this long for others to be merged with.",
            "batch_timeout_micros { value: 1000 }",
            f"num_batch_threads {{ value: {threads} }}",
            f"max_enqueued_batches {{ value: {50 * threads} }}",
            "# Padding would repeat a value of a multi-valued column, which changes its score.",
            "pad_variable_length_inputs: false",
            "",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m serving.tune_batch", description="Finds the best batch size.")
    parser.add_argument("--models", type=local_path, required=True, help="the push destination, a folder of versions")
    parser.add_argument(
        "--budget-ms",
        type=number(0.0, 1e6, above=True),
        default=50.0,
        metavar="N",
        help="limit for the 95th percentile (default: 50)",
    )
    parser.add_argument(
        "--seconds", type=number(0.0, 86_400.0), default=20.0, metavar="N", help="how long to measure (default: 20)"
    )
    parser.add_argument("--write", type=local_path, metavar="FILE", help="a batching parameters file to write")
    options = parser.parse_args(arguments)
    try:
        if options.write is not None:
            writable_file("--write", options.write)
        # TensorFlow takes seconds to import; a wrong command is refused before.
        with without_startup_lines():
            from feed_ranker_client.validation import max_rows_of
            from serving.samples import sample_inputs
            from serving.versions import load_newest
        _, (model, signature) = load_newest(options.models, _load, _warn)
        sizes = [size for size in SIZES if size <= max_rows_of(signature)]
        _tune(model, sample_inputs(signature, max(sizes)), sizes, options)
    except (UsageError, OSError) as error:
        print_error(error)
        raise SystemExit(_USAGE) from None


def _load(folder: Path) -> "tuple[Any, meta_graph_pb2.SignatureDef]":
    import tensorflow as tf

    from serving.servicer import read_signatures

    return tf.saved_model.load(str(folder)), read_signatures(folder)[_SIGNATURE]


def _tune(model: Any, inputs: Mapping[str, NDArray[Any]], sizes: Sequence[int], options: argparse.Namespace) -> None:
    import tensorflow as tf

    rows = {name: tf.constant(array) for name, array in inputs.items()}

    def score(size: int) -> object:
        return model.signatures[_SIGNATURE](**{name: tensor[:size] for name, tensor in rows.items()})

    costs = measure(score, sizes, options.seconds)
    best = recommend(costs, options.budget_ms)
    _print(costs, best, options.budget_ms)
    if options.write is not None:
        write_text(options.write, batching_parameters(best.size, os.cpu_count() or 1))


def _warn(text: str) -> None:
    print(f"warning: {sentence(text)}", file=sys.stderr)


def _print(costs: Sequence[BatchCost], best: BatchCost, budget_ms: float) -> None:
    table = Table(title="candidates scored together")
    for heading in ("batch", "p50 ms", "p95 ms", "candidates/s", ""):
        table.add_column(heading, justify="right" if heading else "left")
    for cost in costs:
        mark = "recommended" if cost is best else ("over the budget" if cost.p95_ms > budget_ms else "")
        table.add_row(str(cost.size), f"{cost.p50_ms:.1f}", f"{cost.p95_ms:.1f}", f"{cost.per_second:,.0f}", mark)
    make_console().print(table)


if __name__ == "__main__":
    exit_with(main)
