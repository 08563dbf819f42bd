"""Infers a first schema from a feed log: `python -m pipeline.infer_schema --config NAME --feed-log DIR`."""

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.configs import ConfigError, load_config
from ranker.command_line import UsageError, exit_with, local_path, print_error, readable_text, writable_file
from ranker.config.pipeline import PipelineConfig
from ranker.feed_log.layout import FeedLogError, latest_day, parse_day
from ranker.files import write_text
from ranker.plain_text import one_line, sentence
from ranker.reports.text import plural
from ranker.startup_lines import without_startup_lines

if TYPE_CHECKING:
    from pipeline.schema_draft import DraftedSchema

_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, writes the schema, and returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.add and (options.force or options.out):
        parser.error("--add extends the config's schema; it goes with neither --force nor --out")
    try:
        config = load_config(options.config)
        out = options.out or Path(config.schema)
        what = "--out" if options.out else f"--config {options.config}: schema"
        if options.add:
            return _add(config, options.feed_log, options.day, out, readable_text(what, out))
        if out.is_file() and not options.force:
            raise FileExistsError(
                f"{out} is already there; --force replaces it, --add adds what it lacks, --out FILE writes elsewhere"
            )
        writable_file(what, out)
        # TFX takes ten seconds to import; a wrong command is refused before.
        with without_startup_lines():
            from pipeline.schema_draft import schema_of_log, schema_text
        drafted = schema_of_log(config, options.feed_log, _day(options.feed_log, options.day), _warn)
        write_text(out, schema_text(drafted, "pipeline.infer_schema"))
    except (FeedLogError, ConfigError, UsageError, OSError) as error:
        print_error(error)
        return _USAGE
    *before, day = drafted.days
    print(f"wrote {out}, from {day} and {plural(len(before), 'day')} before it; please review it:")
    _print_points(drafted)
    return 0


def _add(config: PipelineConfig, feed_log: str, day: str | None, out: Path, text: str) -> int:
    """Appends the columns that a schema lacks; what is in the file stays as it is, comments included."""
    try:
        schema: schema_pb2.Schema = text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise UsageError(f"{out}: not a schema: {error}") from None
    with without_startup_lines():
        from pipeline.schema_draft import config_columns, schema_of_log, schema_text
    known = {feature.name for feature in schema.feature}
    columns = {column.name for column in config_columns(config).columns}
    for name in sorted(known - columns):
        print(f"{one_line(name)}: in the schema and not in the config; remove it from the schema if it is gone")
    if columns <= known:
        print(f"{out} has every column of the config; nothing was added")
        return 0
    writable_file("schema", out)
    drafted = schema_of_log(config, feed_log, _day(feed_log, day), _warn, leave_out=known)
    separator = "" if text.endswith("\n") or not text else "\n"
    write_text(out, f"{text}{separator}{schema_text(drafted, 'pipeline.infer_schema --add')}")
    added = ", ".join(one_line(feature.name) for feature in drafted.schema.feature)
    print(f"added to {out}, from {drafted.days[-1]} and the {len(drafted.days) - 1} days before it: {added}")
    _print_points(drafted)
    return 0


def _day(feed_log: str, text: str | None) -> date:
    return parse_day(text) if text is not None else latest_day(feed_log)


def _print_points(drafted: "DraftedSchema") -> None:
    from pipeline.schema_draft import points_to_review

    for point in points_to_review(drafted.schema, drafted.columns):
        print(f"  {sentence(point)}")
    print("  drift_comparator thresholds, min_fraction and min_domain_mass: tighten them once you know your data;")
    print("  docs/limits.md explains them")


def _warn(warning: str) -> None:
    print(f"warning: {sentence(warning)}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.infer_schema",
        description="Infers a first schema from a day of a feed log and the days before it.",
    )
    parser.add_argument("--config", required=True, metavar="NAME", help="a config of pipeline_config.py")
    parser.add_argument("--feed-log", required=True, metavar="DIR", help="the folder of day folders")
    parser.add_argument("--day", metavar="YYYY-MM-DD", help="the day to look at (default: the newest)")
    parser.add_argument(
        "--out", type=local_path, metavar="FILE", help="where the schema goes (default: where the config says)"
    )
    parser.add_argument(
        "--add", action="store_true", help="add the columns that the schema lacks, and leave the rest of it as it is"
    )
    parser.add_argument("--force", action="store_true", help="replace a schema that is already there")
    return parser


if __name__ == "__main__":
    exit_with(main)
