"""A drafted config as text: Python that stands alone, and that can be appended to pipeline_config.py as well."""

import keyword
import re
import sys
import textwrap
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline.draft import words
from pipeline.draft.columns import FEW_SLICES, Draft
from pipeline.draft.keys import Guess
from pipeline.draft.scan import LogScan
from ranker.config.names import RESERVED, RESERVED_FOR_OBJECTIVES, folded, input_name, is_usable, weight_name
from ranker.plain_text import one_line

WIDTH = 118

_SLICES = 2
_OBJECTIVE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_FIELDS = ("numeric", "categorical", "multi_valued", "dense", "exposure")
_TYPES = {
    "categorical": "Categorical",
    "multi_valued": "MultiValued",
    "dense": "DenseEmbedding",
    "exposure": "Exposure",
}


@dataclass
class Names:
    """Names for the config that its checks accept, each used once.

    Example:
        >>> Names().of("Preis (EUR)"), Names().of("minutes")
        ('Preis_EUR', 'minutes')
    """

    taken: set[str] = field(default_factory=set)

    def of(self, column: str, objective: bool = False) -> str:
        """The column's own name where it can be used, or one like it; that of an objective's weight is taken too."""
        reserved = RESERVED_FOR_OBJECTIVES if objective else RESERVED
        if (
            is_usable(column, reserved)
            and (not objective or _OBJECTIVE_NAME.fullmatch(column))
            and self._is_free(column, objective)
        ):
            return self._took(column, objective)
        letters = unicodedata.normalize("NFKD", column).encode("ascii", "ignore").decode()
        slug = re.sub(r"[^A-Za-z0-9]+", "_", letters).strip("_")[:60]
        if not slug or not slug[0].isalpha() or keyword.iskeyword(slug):
            slug = f"{'objective' if objective else 'column'}_{slug}".rstrip("_")
        name, number = slug, 1
        while not (is_usable(name, reserved) and self._is_free(name, objective)):
            number += 1
            name = f"{slug}_{number}"
        return self._took(name, objective)

    def _is_free(self, name: str, objective: bool) -> bool:
        return not _spellings(name, objective) & self.taken

    def _took(self, name: str, objective: bool) -> str:
        self.taken |= _spellings(name, objective)
        return name


def _spellings(name: str, objective: bool) -> set[str]:
    """What a name takes: itself as a column and as an input, and of an objective the input of its weight."""
    names = (name, weight_name(name)) if objective else (name,)
    return {spelling for one in names for spelling in (folded(one), input_name(one).lower())}


def config_text(name: str, log: LogScan, keys: Mapping[str, Guess], drafts: Sequence[Draft]) -> str:
    """The config as Python, every line of a column with its reason.

    Args:
        name: of the config.
        log: what was read.
        keys: the guessed keys.
        drafts: what the other columns become.
    """
    names = Names({"alpha", "lambda_"})
    # Those in use choose their names first, so that what is only offered cannot take one away. Objectives choose before
    # features, as they take the names of their weights too, and the shorter ones first, which others begin with.
    ordered = sorted((draft for draft in drafts if draft.field != "left_out"), key=_turn)
    named = {draft.column: names.of(draft.column, draft.field == "objectives") for draft in ordered}
    constant = re.sub(r"\W", "_", name).upper()
    body = [
        f"{constant} = PipelineConfig(",
        f"    name={quoted(name)},",
        *_keys(keys),
        *_objectives(drafts, named),
        *_features(_with_forest_input(drafts), named),
        *_left_out(drafts),
        *_slices(log, drafts, named),
        _commented(f"    schema={quoted(f'schemas/{name}.pbtxt')},", "docs/limits.md explains its limits"),
        _commented("    train_days=7,", _days(log)),
        "    # Everything else has a default; docs/settings.md lists the parts. Those that are often set:",
        '    # gates=Gates(too_few="block_first"),  # a first model needs enough positives to judge',
        "    # training=Training(epochs=2),",
        ")",
        f'"""Drafted from {one_line(_span(log), 80)}; read every line before you trust the model."""',
    ]
    used = sorted(
        {word for line in body for word in re.findall(r"^(?:[^#]*?\b| *# )([A-Z][A-Za-z]+)\(", line, re.M)} - {constant}
    )
    imports = ["from pipeline.config import (", *(f"    {word}," for word in used), ")"]
    # In pipeline_config.py the other configs stay; in a file of its own there are none.
    register = f'CONFIGS = {{**globals().get("CONFIGS", {{}}), {quoted(name)}: {constant}}}'
    return "\n".join([*imports, "", *body, "", register, ""])


def _turn(draft: Draft) -> tuple[bool, int]:
    return not draft.active, len(draft.column) if draft.field == "objectives" else sys.maxsize


def quoted(text: str) -> str:
    """A text as a Python literal in double quotes, on one line."""
    literal = repr(text)
    return f'"{literal[1:-1]}"' if literal[0] == "'" and '"' not in literal else literal


def _span(log: LogScan) -> str:
    first, last = log.days[0], log.days[-1]
    days = f"{first}" if first == last else f"{len(log.days)} days, {first} to {last}"
    return f"{days}, {log.rows:,} impressions"


def _days(log: LogScan) -> str:
    before = len(log.all_days) - 1
    if not before:
        return "the log has a single day; a run needs at least one more to train on"
    return f"days to train on; the log has {before} before its newest" if before < 7 else "days to train on"


def _keys(keys: Mapping[str, Guess]) -> Iterator[str]:
    yield "    # Guessed. The candidates of a session are ranked together. Intervals are computed over viewers."
    yield "    keys=Keys("
    for role, guess in keys.items():
        yield _commented(f"        {role}={quoted(guess.column)},", guess.why)
    yield "    ),"


def _objectives(drafts: Sequence[Draft], named: Mapping[str, str]) -> Iterator[str]:
    found = [draft for draft in drafts if draft.field == "objectives"]
    most = max((draft.positives for draft in found if draft.active), default=1.0)
    yield '    # What to predict. Tower: "passive" is reading, "active" contributing. Weight: the worth of an outcome.'
    yield "    objectives=("
    for draft in found:
        name = named[draft.column]
        tower = "active" if words.has(draft.column, words.ACTIVE) else "passive"
        sign = -1.0 if words.has(draft.column, words.NEGATIVE) else 1.0
        parts = [quoted(name), f'tower="{tower}"', f"utility_weight={sign * _weight(draft.positives, most)}"]
        if name != draft.column:
            parts.append(f"column={quoted(draft.column)}")
        yield _offered(f"Objective({', '.join(parts)}),", draft)
    yield "    ),"


def _weight(positives: float, most: float) -> float:
    """A round weight: rarer outcomes are worth more, up to ten times."""
    ratio = most / positives if positives else 1.0
    return max(weight for weight in (1.0, 2.0, 5.0, 10.0) if weight <= max(1.0, ratio))


def _features(drafts: Sequence[Draft], named: Mapping[str, str]) -> Iterator[str]:
    yield "    # Only what is known before the session is ranked. Lines with WARNING are left out."
    yield "    features=Features("
    for part in _FIELDS:
        found = [draft for draft in drafts if draft.field == part]
        if not found:
            continue
        yield f"        {part}=("
        for draft in found:
            yield _offered(f"{_feature(draft, named[draft.column])},", draft, indent=12)
        yield "        ),"
    yield "    ),"


def _with_forest_input(drafts: Sequence[Draft]) -> list[Draft]:
    """The drafts; embeddings are inputs of the forest if nothing else is."""
    if any(draft.active and draft.field in ("numeric", "categorical", "multi_valued") for draft in drafts):
        return list(drafts)
    return [replace(draft, for_forest=draft.field == "dense") for draft in drafts]


def _feature(draft: Draft, name: str) -> str:
    parts = [quoted(name)]
    if draft.field == "dense":
        parts.append(f"size={draft.size}")
    elif draft.size is not None:
        parts.append(f"vocabulary_size={draft.size}")
    if draft.for_forest:
        parts.append("forest=True")
    if draft.default is not None:
        parts.append(f"default={draft.default}")
    if name != draft.column:
        parts.append(f"column={quoted(draft.column)}")
    if draft.field == "numeric":
        return parts[0] if len(parts) == 1 else f"Numeric({', '.join(parts)})"
    return f"{_TYPES[draft.field]}({', '.join(parts)})"


def _offered(code: str, draft: Draft, indent: int = 8) -> str:
    """A line of code with its reason; as a comment if it is only offered."""
    offered = not draft.active or draft.warning
    return _commented(f"{' ' * indent}{'# ' if offered else ''}{code}", _reason(draft))


def _reason(draft: Draft) -> str:
    return f"WARNING: {draft.warning}" if draft.warning else draft.comment


def _left_out(drafts: Sequence[Draft]) -> Iterator[str]:
    found = [draft for draft in drafts if draft.field == "left_out"]
    if found:
        yield "    # Not used:"
    for draft in found:
        yield _fitted(f"    # - {quoted(one_line(draft.column, 60))}: {_reason(draft)}")


def _slices(log: LogScan, drafts: Sequence[Draft], named: Mapping[str, str]) -> Iterator[str]:
    found = [
        draft
        for draft in drafts
        if draft.field == "categorical"
        and draft.active
        and 2 <= len(log.columns[draft.column].distinct) <= FEW_SLICES
        and log.columns[draft.column].nulls * 2 < log.rows
    ]
    if found:
        slices = ", ".join(f"({quoted(named[draft.column])},)" for draft in found[:_SLICES])
        comma = "," if len(found[:_SLICES]) == 1 else ""
        yield _commented(f"    slices=({slices}{comma}),", "metrics and gates are computed for these groups too")


def _commented(code: str, comment: str) -> str:
    line = f"{code}  # {one_line(comment, 400)}"
    if len(line) <= WIDTH:
        return line
    # The reason is what a reader decides by: it goes above its line rather than being cut.
    mark = f"{code[: len(code) - len(code.lstrip())]}# "
    above = textwrap.wrap(one_line(comment, 400), WIDTH, initial_indent=mark, subsequent_indent=mark)
    return "\n".join([*above, code])


def _fitted(line: str, least: int = 0) -> str:
    """The line, cut to the width; the code of a long one is kept."""
    most = max(WIDTH, least)
    return line if len(line) <= most else f"{line[: most - 1]}…"
