"""Says why a pushed model scores rows as it does: `python -m ranker.explain --model DIR --input PATTERN`."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ranker.command_line import (
    UsageError,
    exit_with,
    location,
    output_file,
    print_error,
    whole_number,
)
from ranker.evaluation.shown_numbers import shown_number
from ranker.files import atomic_file
from ranker.plain_text import one_line
from ranker.scoring.patterns import InputFile, input_files
from ranker.startup_lines import without_startup_lines

if TYPE_CHECKING:
    import pyarrow as pa

    from ranker.scoring.loading import LoadedModel

_USAGE = 2

_DESCRIPTION = """\
Says what each feature column adds to the log-odds of each objective, for the first rows of Parquet files.

The log-odds of an average impression and the contributions of all columns add up to those of the row. A contribution of
0.7 doubles the odds, one of -0.7 halves them.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0, or 2 after an error, which it prints in one line."""
    options = _parser().parse_args(arguments)
    try:
        files = input_files(options.input)
        # TensorFlow takes seconds to import; a wrong command is refused before.
        with without_startup_lines():
            from ranker.scoring.explaining import explain_tables
            from ranker.scoring.loading import load_model
            from ranker.scoring.model import Model

        loaded = load_model(str(options.model))
        model = Model(loaded)
        tables = _first_tables(loaded, files, options.rows)
        rows = _together([table for _, table in tables])
        keys = [name for name in loaded.description.key_names if name in rows.schema.names]
        explained = explain_tables(loaded, tables, keys)
        if options.output is not None:
            _write(explained, options.output)
            print(f"wrote {rows.num_rows:,} rows × {len(model.objectives)} objectives to {options.output}")
        else:
            columns = dict(zip(model.features, model.columns, strict=True)) | dict(
                zip(model.ids, model.ids, strict=True)
            )
            for line in _lines(explained, columns, rows, options.top):
                print(one_line(line))
    except (OSError, ValueError) as error:
        print_error(error)
        return _USAGE
    return 0


def _first_tables(model: "LoadedModel", files: Sequence[InputFile], rows: int) -> "list[tuple[str, pa.Table]]":
    """The first rows of the files, each with its path: the keys, and the columns that the model reads."""
    import pyarrow as pa

    from ranker.feed_log.columns import check_names
    from ranker.feed_log.layout import open_parquet
    from ranker.feed_log.reading import parquet_batches

    tables, wanted = [], rows
    for file in files:
        with open_parquet(file.path) as opened:
            schema, filled = opened.schema_arrow, opened.metadata.num_rows > 0
        # Writers that infer types from values cannot do so for an empty file.
        if not filled:
            continue
        keys = [name for name in model.description.key_names if name in schema.names]
        check_names(file.path, schema, keys)
        columns = model.scorer.check(file.path, schema)
        batches = []
        for batch in parquet_batches(file.path, list(dict.fromkeys((*keys, *(c.source for c in columns)))), wanted):
            batches.append(batch.slice(0, wanted))
            wanted -= batches[-1].num_rows
            if not wanted:
                break
        tables.append((file.path, pa.Table.from_batches(batches)))
        if not wanted:
            break
    return tables


def _together(tables: "Sequence[pa.Table]") -> "pa.Table":
    import pyarrow as pa

    if not tables:
        raise UsageError("--input: the files have no rows")
    try:
        return pa.concat_tables(tables)
    except pa.ArrowInvalid as error:
        raise UsageError(f"--input: the first files have different columns: {error}") from None


def _write(explained: "pa.Table", output: Path) -> None:
    import pyarrow.parquet as pq

    with atomic_file(output) as path:
        pq.write_table(explained, path)


def _lines(explained: "pa.Table", features: Mapping[str, str], rows: "pa.Table", top: int) -> Iterator[str]:
    """The row's keys, and per objective its largest contributions with the values of the features' columns."""
    names = explained.schema.names
    described = names[: names.index("objective")] if "objective" in names else []
    objectives = max(1, explained.num_rows // rows.num_rows)
    for number, row in enumerate(explained.to_pylist()):
        values: dict[str, Any] = dict(zip(features, list(row.values())[-len(features) :], strict=True))
        if number % objectives == 0:
            yield ", ".join(f"{name} {row[name]}" for name in described) or f"row {number // objectives}"
        shown = sorted(values, key=lambda name: -abs(values[name]))[:top]
        of_row = rows.slice(number // objectives, 1).to_pylist()[0]
        parts = ", ".join(f"{values[name]:+.2f} {name} ({_short(of_row.get(features[name]))})" for name in shown)
        rest = sum(value for name, value in values.items() if name not in shown)
        yield (
            f"  {row['objective']}: log-odds {row['log_odds']:.2f} = {row['baseline']:.2f} on average {parts}, "
            f"{rest:+.2f} all others"
        )


def _short(value: object) -> str:
    if isinstance(value, float):
        return shown_number(value, ".4g")
    text = "missing" if value is None else str(value)
    return text if len(text) <= 20 else f"{text[:19]}…"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m ranker.explain", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model",
        required=True,
        type=location,
        metavar="DIR",
        help="a version of a pushed model, or a push destination for its newest version; a path or a URI",
    )
    parser.add_argument("--input", required=True, metavar="PATTERN", help="the files, as in python -m ranker.score")
    parser.add_argument(
        "--rows", type=whole_number(1, 100_000), default=3, metavar="N", help="rows to explain (default: 3)"
    )
    parser.add_argument(
        "--top", type=whole_number(1, 1000), default=5, metavar="N", help="contributions to print (default: 5)"
    )
    parser.add_argument("--output", type=output_file, metavar="FILE", help="write all contributions there as Parquet")
    return parser


if __name__ == "__main__":
    exit_with(main)
