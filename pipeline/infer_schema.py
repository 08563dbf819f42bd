"""Infers a first schema from a feed log: `python -m pipeline.infer_schema --config NAME --feed-log DIR`."""

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.configs import ConfigError, load_config
from pipeline.local.day_reading import profile_day
from pipeline.schema_draft import draft_schema, largest_drift, points_to_review, statistics_of
from ranker.command_line import UsageError, local_path, print_error, writable_file
from ranker.feed_log.columns import columns_of
from ranker.feed_log.layout import FeedLogError, latest_day, list_days, parse_day, reference_days
from ranker.files import write_text
from ranker.plain_text import sentence

_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, writes the schema, and returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        config = load_config(options.config)
        out = options.out or Path(config.schema)
        what = "--out" if options.out else f"--config {options.config}: schema"
        if out.is_file() and not options.force:
            raise FileExistsError(f"{out} is already there; --force replaces it, --out FILE writes elsewhere")
        writable_file(what, out)
        day = parse_day(options.day) if options.day is not None else latest_day(options.feed_log)
        columns = columns_of(
            config.objectives,
            config.features,
            config.keys,
            config.timestamps,
            config.exploration,
            config.id_columns,
        )
        before = sorted(set(reference_days(day, config.train_days)) & set(list_days(options.feed_log)))
        # Read in this process first: Beam would print a traceback before the error of a bad value.
        profiles = [profile_day(config, options.feed_log, one, _warn) for one in (*before, day)]
        schema = draft_schema(columns, statistics_of(options.feed_log, [day], columns), largest_drift(profiles))
        _write(schema, out, day)
    except (FeedLogError, ConfigError, UsageError, OSError) as error:
        print_error(error)
        return _USAGE
    print(f"wrote {out}, from {day} and the {len(before)} days before it; please review it:")
    for point in points_to_review(schema, columns):
        print(f"  {sentence(point)}")
    print("  drift_comparator thresholds, min_fraction and min_domain_mass: tighten them once you know your data")
    return 0


def _warn(warning: str) -> None:
    print(f"warning: {sentence(warning)}", file=sys.stderr)


def _write(schema: schema_pb2.Schema, out: Path, day: date) -> None:
    write_text(out, f"# Drafted by pipeline.infer_schema from {day}.\n{text_format.MessageToString(schema)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.infer_schema", description="Infers a first schema from one day of a feed log."
    )
    parser.add_argument("--config", required=True, metavar="NAME", help="a config of pipeline_config.py")
    parser.add_argument("--feed-log", required=True, metavar="DIR", help="the folder of day folders")
    parser.add_argument("--day", metavar="YYYY-MM-DD", help="the day to look at (default: the newest)")
    parser.add_argument(
        "--out", type=local_path, metavar="FILE", help="where the schema goes (default: where the config says)"
    )
    parser.add_argument("--force", action="store_true", help="replace a schema that is already there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
