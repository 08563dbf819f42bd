"""Drafts a config and a schema from a feed log: `python -m pipeline.draft --feed-log DIR --name NAME`."""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ranker.command_line import (
    UsageError,
    local_path,
    location,
    print_error,
    readable_location,
    writable_file,
)
from ranker.config.kubeflow import MAX_PIPELINE_NAME
from ranker.config.pipeline import PipelineConfig
from ranker.feed_log.layout import FeedLogError, list_days, reference_days
from ranker.files import write_text
from ranker.plain_text import one_line, sentence
from ranker.startup_lines import without_startup_lines

if TYPE_CHECKING:
    from pipeline.draft.columns import Draft
    from pipeline.draft.scan import ScannedColumn

_USAGE = 2
_DAYS = 7

_DESCRIPTION = """\
Drafts a config and a schema from the newest days of a feed log. Keys, kinds of columns and objectives are guessed from
types, values and names, and every line says why. Columns that tell an outcome are left out, with a warning.

The config is printed; append it to the settings:
  python -m pipeline.draft --feed-log DIR --name shop >> pipeline_config.py
  python local_runner.py --config shop --feed-log DIR
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0, or 2 after an error, which it prints in one line."""
    options = _parser().parse_args(arguments)
    try:
        schema = Path("schemas") / f"{options.name}.pbtxt"
        for what, path in (("--out", options.out), ("schema", schema)):
            if path is not None:
                _may_write(what, path, options.force)
        readable_location("--feed-log", options.feed_log)
        text, config = _drafted(options)
        # TFX takes ten seconds to import; a log that cannot be drafted is refused before.
        with without_startup_lines():
            from pipeline.schema_draft import points_to_review, schema_of_log, schema_text

        drafted = schema_of_log(config, options.feed_log, list_days(options.feed_log)[-1], _warn)
        write_text(schema, schema_text(drafted, "pipeline.draft"))
        if options.out is not None:
            write_text(options.out, text)
        else:
            print(text, end="")
    except (FeedLogError, UsageError, OSError, ValueError) as error:
        print_error(error)
        return _USAGE
    _say(f"wrote {schema}" + (f" and {options.out}" if options.out else "") + "; please review:")
    for point in points_to_review(drafted.schema, drafted.columns):
        _say(point, "  ")
    return 0


def _drafted(options: argparse.Namespace) -> tuple[str, PipelineConfig]:
    """The config as text, and the config that the text makes."""
    days = list_days(options.feed_log)
    if not days:
        raise FeedLogError(f"feed log {options.feed_log}: it has no folder named day-YYYY-MM-DD")
    window = sorted({days[-1], *reference_days(days[-1], _DAYS)} & set(days))
    # TensorFlow takes seconds to import; a wrong command is refused before.
    with without_startup_lines():
        from pipeline.configs import described
        from pipeline.draft.columns import guess_columns
        from pipeline.draft.keys import guess_keys
        from pipeline.draft.scan import scan
        from pipeline.draft.text import config_text

    log = scan(options.feed_log, window, days)
    given = {role: getattr(options, role) for role in ("session", "viewer", "item", "timestamp")}
    keys = guess_keys(log, given)
    for role, guess in keys.items():
        _say(f"{role}: {one_line(guess.column)} ({guess.why})")
    drafts = guess_columns(log, keys)
    for draft in drafts:
        if draft.warning:
            _warn(f"{one_line(draft.column)}: {draft.warning}")
    _check(drafts, log.columns)
    undecided = [draft for draft in drafts if draft.field == "objectives" and not (draft.active or draft.warning)]
    if offered := [one_line(draft.column) for draft in undecided]:
        _say(f"objectives in comments, for you to decide: {', '.join(offered)}")
    text = config_text(options.name, log, keys, drafts)
    namespace: dict[str, object] = {}
    try:
        exec(compile(text, "<draft>", "exec"), namespace)
    except ValidationError as error:
        raise FeedLogError(f"the log's columns make no config: {described(error)}") from None
    configs = namespace["CONFIGS"]
    assert isinstance(configs, dict)
    config = configs[options.name]
    assert isinstance(config, PipelineConfig)
    return text, config


def _check(drafts: "Sequence[Draft]", columns: "Mapping[str, ScannedColumn]") -> None:
    """Raises FeedLogError if nothing can be predicted, or from nothing."""
    active = {draft.field for draft in drafts if draft.active and not draft.warning}
    if "objectives" not in active:
        raise FeedLogError(
            f"no column can be an objective: it has 0 and 1, and both occur; the log has {', '.join(columns)}"
        )
    if not active & {"numeric", "categorical", "multi_valued", "dense"}:
        raise FeedLogError(
            "no column can be a feature: a model needs at least one number, category, list or embedding that is known "
            f"before the session is ranked; the log has {', '.join(columns)}"
        )


def _may_write(what: str, path: Path, force: bool) -> None:
    if path.is_file() and not force:
        hint = f"; `>> {path}` adds the printed config to it" if path.suffix == ".py" else ""
        raise UsageError(f"{path} is already there; --force replaces it{hint}")
    writable_file(what, path)


def _say(text: str, indent: str = "") -> None:
    print(f"{indent}{sentence(text)}", file=sys.stderr)


def _warn(warning: str) -> None:
    _say(f"warning: {warning}")


def _name(text: str) -> str:
    """The name of a config, as the type of an option."""
    if len(text) > MAX_PIPELINE_NAME or not re.fullmatch(r"[a-z][a-z0-9-]*", text):
        raise argparse.ArgumentTypeError(
            f"{one_line(text, 60)!r} is not the name of a config: at most {MAX_PIPELINE_NAME} small letters, digits "
            "and hyphens, a letter first"
        )
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m pipeline.draft", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--feed-log", required=True, type=location, metavar="DIR", help="the folder of day folders")
    parser.add_argument("--name", required=True, type=_name, help="of the config and of its schema, schemas/NAME.pbtxt")
    parser.add_argument("--out", type=local_path, metavar="FILE", help="write the config there instead of printing it")
    parser.add_argument("--force", action="store_true", help="replace a file or schema that is already there")
    for role in ("session", "viewer", "item", "timestamp"):
        parser.add_argument(f"--{role}", metavar="COLUMN", help=f"the {role}'s column, in place of a guess")
    return parser
