"""Writes the viewers' histories for a feature store: `python -m pipeline.histories --config NAME --feed-log DIR …`."""

import argparse
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from pipeline.configs import ConfigError, load_config
from ranker.command_line import (
    day,
    exit_with,
    location,
    make_console,
    print_error,
    readable_location,
    writable_file,
)
from ranker.feed_log.layout import FeedLogError, latest_day
from ranker.files import atomic_file
from ranker.progress_bar import shown_progress
from ranker.startup_lines import without_startup_lines

_USAGE = 2

_DESCRIPTION = """\
Writes the history of every viewer as a Parquet file: the viewers' column, and a column per history of the config. They
are what the pipeline computes for impressions of the day, from the days before it. A client of the served model passes
them as inputs of the same names. If a feed log has these columns too, they are read as they are.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0, or 2 after an error, which it prints in one line."""
    options = _parser().parse_args(arguments)
    try:
        config = load_config(options.config)
        if not config.features.history:
            raise ConfigError(f"config {config.name!r}: it has no features.history")
        readable_location("--feed-log", options.feed_log)
        root = str(options.feed_log)
        if isinstance(options.output, Path):
            writable_file("--output", options.output)
        newest = None if options.day else latest_day(root)
        served = options.day if newest is None else newest + timedelta(days=1)
        # TensorFlow takes seconds to import; a wrong command is refused before.
        with without_startup_lines():
            import pyarrow.parquet as pq

            from ranker.feed_log.columns import columns_of
            from ranker.feed_log.planning import plan_day
            from ranker.histories.newest import newest_histories

        columns = columns_of(
            config.objectives, config.features, config.keys, config.timestamps, ids=config.id_columns, rows=config.rows
        )
        if newest is not None and not any(unit.rows for unit in plan_day(root, newest, columns)):
            raise FeedLogError(f"feed log {root}: the newest day {newest} has no rows, so the histories would lack it")
        viewers = 0
        with (
            tempfile.TemporaryDirectory(prefix="feed-ranker-histories-") as folder,
            shown_progress(make_console(stderr=True)),
            atomic_file(options.output) as path,
        ):
            writer: pq.ParquetWriter | None = None
            for table in newest_histories(root, served, columns, folder):
                writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
                writer.write_table(table)
                viewers += table.num_rows
            assert writer is not None, "no table is an error"
            writer.close()
    except (FeedLogError, ConfigError, OSError, ValueError) as error:
        print_error(error)
        return _USAGE
    print(f"wrote {options.output}: the histories of {viewers:,} viewers for {served}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m pipeline.histories", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", required=True, metavar="NAME", help="a config of pipeline_config.py")
    parser.add_argument("--feed-log", required=True, type=location, metavar="DIR", help="the folder of day folders")
    parser.add_argument(
        "--day",
        type=day,
        metavar="YYYY-MM-DD",
        help="the day whose requests read the histories (default: the day after the newest)",
    )
    parser.add_argument("--output", required=True, type=location, metavar="FILE", help="the Parquet file to write")
    return parser


if __name__ == "__main__":
    exit_with(main)
