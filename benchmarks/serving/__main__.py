"""`python -m benchmarks.serving`: see `--help`."""

from collections.abc import Sequence

from rich.console import Console

from benchmarks.harness import Options, option_parser, report, run_program, work_folder
from benchmarks.pages import page_of, show_and_write
from ranker.command_line import local_path, sleep_while_waiting
from ranker.startup_lines import without_startup_lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    parser = option_parser(
        "benchmarks.serving",
        "Serving costs: the forest in the graph, the number of objectives, the source's progression, sessions side by "
        "side, sizes of requests, payload, latency, protocol, forms of the leaf table, a first pass, and a profile.",
        quick="few rows, trees and rounds: a smoke test",
    )
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
    # XGBoost's threads would otherwise wait in busy loops while another side is measured.
    sleep_while_waiting()
    with without_startup_lines():
        from benchmarks.serving.measuring import measure
        from benchmarks.serving.others import Others
        from benchmarks.serving.page import TITLE, draw, markdown
        from benchmarks.serving.prepare import prepared
    console = Console()
    with work_folder(options, "serving-benchmark") as work:
        work.mkdir(parents=True, exist_ok=True)
        models = prepared(work, options.quick, console)
        others = Others(options.before, options.rivals)
        results, figures = measure(work, models, options.quick, options.trace, others, console)
    words = ["--quick", *others.words] if options.quick else others.words
    show_and_write(options.page, TITLE, markdown(results, figures, words), console)
    if options.charts:
        draw(results, options.charts)
    report("serving", figures, Options(options.quick, options.json), console)


if __name__ == "__main__":
    run_program(main)
