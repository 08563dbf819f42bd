"""Scores Parquet files with a pushed model: `python -m ranker.score --model DIR --input PATTERN --output DIR`."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from ranker.command_line import (
    UsageError,
    exit_with,
    location,
    make_console,
    print_error,
    writable_location,
)
from ranker.progress_bar import shown_progress
from ranker.scoring.patterns import input_files
from ranker.startup_lines import without_startup_lines
from ranker.storage import exists

_FAILED, _USAGE = 1, 2

_DESCRIPTION = """\
Scores the rows of Parquet files with a pushed model. For each file of PATTERN, DIR gets a file of the same name below
the pattern's first wildcard, with the same number of rows in the same order: the keys of the impression, `score` (the
utility that the model ranks by), and the probability of each objective. DIR appears when all files are complete.
"""

_EPILOG = """\
The input needs the model's feature columns, in the types that a feed log may have. Exposure columns are read where
they are there; labels are not read.

exit status:
  0  all files are scored
  1  a Beam job failed; the line says why
  2  the command, the model or the input cannot be used, or the output exists; the line says why, and nothing is written
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0, or 2 after an error, which it prints in one line."""
    options = _parser().parse_args(arguments)
    try:
        place = writable_location("--output", options.output)
        if exists(place):
            raise UsageError(f"--output {place}: it is already there; choose a new folder, or delete this one")
        if options.beam_args is not None:
            return _score_with_beam(str(options.model), options.input, place, options.keep, options.beam_args)
        return _score(str(options.model), options.input, place, options.keep)
    except (OSError, ValueError) as error:
        print_error(error)
        return _USAGE
    except RuntimeError as error:
        print_error(error)
        return _FAILED


def _score(model: str, pattern: str, output: Path | str, keep: list[str] | None) -> int:
    files = input_files(pattern)
    # TensorFlow takes seconds to import; a wrong command is refused before.
    with without_startup_lines():
        from ranker.scoring.files import plan_files, score_files
        from ranker.scoring.loading import load_model

    loaded = load_model(model)
    plans = plan_files(loaded.scorer, files, keep)
    console = make_console(stderr=True)
    with shown_progress(console):
        scored = score_files(loaded.scorer, plans, output)
    speed = f", {scored.rows / scored.seconds:,.0f} rows/s" if scored.rows else ""
    console.print(
        f"scored {scored.rows:,} rows of {scored.files:,} files with {loaded.location} in {scored.seconds:.1f} s"
        f"{speed}; the scores are in {output}",
        markup=False,
        soft_wrap=True,
    )
    return 0


def _score_with_beam(model: str, pattern: str, output: Path | str, keep: list[str] | None, arguments: str) -> int:
    input_files(pattern)
    with without_startup_lines():
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions

        from ranker.scoring.beam import score_with_beam

    options = PipelineOptions(shlex.split(arguments))
    scored = score_with_beam(lambda: beam.Pipeline(options=options), model, pattern, output, keep)
    make_console(stderr=True).print(
        f"scored {scored.rows:,} rows of {scored.files:,} files by Beam in {scored.seconds:.1f} s; the scores are in "
        f"{output}",
        markup=False,
        soft_wrap=True,
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m ranker.score",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model",
        required=True,
        type=location,
        metavar="DIR",
        help="a version of a pushed model, or a push destination for its newest version; a path or a URI",
    )
    parser.add_argument(
        "--input",
        required=True,
        metavar="PATTERN",
        help="the files, such as 'feed_log/day-*/*.parquet'; a folder stands for all Parquet files below it",
    )
    parser.add_argument("--output", required=True, type=location, metavar="DIR", help="a new folder for the scores")
    parser.add_argument(
        "--keep",
        nargs="+",
        metavar="COLUMN",
        help="columns of the input that the output has too (default: session, viewer, item and timestamp of the "
        "model's config, where the input has them)",
    )
    parser.add_argument(
        "--beam-args",
        metavar="ARGS",
        help="score by a Beam job with these arguments, as one text: --beam-args="
        '"--runner=DataflowRunner --project=…"; its workers have to be able to read and write the paths',
    )
    return parser


if __name__ == "__main__":
    exit_with(main)
