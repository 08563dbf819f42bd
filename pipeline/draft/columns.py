"""Guesses what the columns of a feed log are: objectives, features by kind, exposure, or nothing to learn from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.types as pt

from pipeline.draft import words
from pipeline.draft.keys import Guess
from pipeline.draft.scan import MOST_DISTINCT, STANDS_TWICE, LogScan, ScannedColumn, numbers_of
from ranker.evaluation.buckets import Ints
from ranker.evaluation.column_power import Outcomes
from ranker.evaluation.leakage import Leak, find_leaks
from ranker.features import arrow
from ranker.features.log_column import LogColumn
from ranker.features.registry import column_kind
from ranker.plain_text import one_line

Field = Literal["objectives", "numeric", "categorical", "multi_valued", "dense", "exposure", "left_out"]

FEW_SLICES = 12
"""Values of a categorical column up to which its slices are worth a row each."""

_MOST_CATEGORIES = 10_000
_ROWS_PER_CATEGORY = 5  # a value that hardly comes back tells a model nothing
_WHOLE_CODES = 1_000  # distinct whole numbers up to which a column named as a code is a category
_MULTI_VALUED_SIZES = (8, 16, 32)  # each value is an input of the forest
_LARGEST_VECTOR = 4_096
_LEAST_VECTOR = 8  # whole numbers, some negative: a quantised embedding
_LEAST_TELLING = 10  # values of a key with several rows and a rarer value, from which "the same in all" says something
_MULTI_VALUED_FOR_LEAKS = 32
_FEW_OUTCOMES = 4  # distinct values of an outcome that is not 0 or 1, such as -1, 0, 1 and 2
_FEW_OTHERS = 0.05  # share of values that are neither 0 nor 1, up to which a column named as an outcome is one
_YES_AND_NO = ({"yes", "no"}, {"true", "false"}, {"0", "1"}, {"y", "n"}, {"t", "f"})


@dataclass(frozen=True)
class Draft:
    """What one column becomes.

    Attributes:
        column: its name in the feed log.
        field: where it goes.
        comment: what speaks for it, or why it is left out.
        active: whether it is part of the config, or offered as a comment.
        warning: what is suspicious, "" for nothing.
        size: vocabulary or vector size, where it has one and it is not the default.
        default: the exposure of the most attention.
        for_forest: whether the forest reads an embedding.
        positives: share of an objective's positives.
    """

    column: str
    field: Field
    comment: str
    active: bool = True
    warning: str = ""
    size: int | None = None
    default: float | None = None
    for_forest: bool = False
    positives: float = 0.0


@dataclass(frozen=True, eq=False)
class Sample:
    """The sampled rows by what groups them.

    Attributes:
        log: the scan.
        viewers: a hash of each row's viewer.
        groups: role → a code per value of its key, [rows].
    """

    log: LogScan
    viewers: Ints
    groups: Mapping[str, npt.NDArray[np.int64]] = field(repr=False)

    @classmethod
    def of(cls, log: LogScan, keys: Mapping[str, Guess]) -> "Sample":
        """The sample of a log with its keys."""
        viewer = LogColumn(keys["viewer"].column, "id")
        return cls(
            log,
            _hashes(np.concatenate([_texts(viewer, part) for part in log.sample[viewer.name]])),
            {role: log.codes(keys[role].column) for role in ("session", "viewer", "item")},
        )

    def same_in(self, column: str) -> str:
        """The role of a key in all rows of whose value the column is the same; "" if there is none."""
        values = self.log.codes(column)
        rarer = values != np.argmax(np.bincount(values + 1)) - 1
        for role, codes in self.groups.items():
            rows = np.bincount(codes)
            pairs = np.unique(codes * (int(values.max()) + 2) + values + 1)
            # A rare outcome is the same in all rows of an item by chance where items hardly come back.
            telling = np.unique(codes[rarer & (rows[codes] > 1)])
            if len(pairs) == len(rows) and len(telling) >= _LEAST_TELLING:
                return role
        return ""


def guess_columns(log: LogScan, keys: Mapping[str, Guess]) -> list[Draft]:
    """What every column becomes that is no key, in the order of the files."""
    taken = {guess.column for guess in keys.values()}
    sample = Sample.of(log, keys)
    others = [column for column in log.columns.values() if column.name not in taken]
    binary = [column for column in others if column.is_binary_outcome and not column.absent]
    objectives = _objectives(binary, sample)
    drafts = [
        objectives.get(column.name) or _feature(column, log.rows, sample, keys["session"].column) for column in others
    ]
    drafts = [_warned(draft, leaks) for draft, leaks in _with_leaks(drafts, sample)]
    return [*drafts, *(_doubled(name) for name in log.twice)]


def _objectives(binary: Sequence[ScannedColumn], sample: Sample) -> dict[str, Draft]:
    """The 0/1 columns that may be outcomes; those that a key determines are features."""
    found: dict[str, Draft] = {}
    determined = {column.name: sample.same_in(column.name) for column in binary}
    named = {
        column.name: words.has(column.name, words.OUTCOME)
        and not words.has(column.name, words.HISTORY | words.EXPLORATION)
        for column in binary
    }
    # What a key determines is known before the ranking; an outcome of a session may be logged in all its rows.
    possible = [
        column
        for column in binary
        if not determined[column.name] or (named[column.name] and determined[column.name] == "session")
    ]
    for column in possible or binary:
        rate = _share_of_ones(column, sample)
        text = f"{100 * rate:.2g} % positive"
        if column.nulls:
            text += f"; observed in {100 * (1 - column.nulls / column.rows):.2g} % of the rows"
        if words.has(column.name, words.EXPLORATION):
            comment = f"0/1; the name speaks of exploration: see Exploration in docs/evaluation.md; {text}"
            found[column.name] = Draft(column.name, "left_out", comment, active=False)
        elif named[column.name] or not any(named.values()):
            found[column.name] = Draft(column.name, "objectives", text, positives=rate)
        else:
            comment = f"{text}; an outcome? Or, if known before the session is ranked, a numeric feature"
            found[column.name] = Draft(column.name, "objectives", comment, active=False, positives=rate)
    return found


def _share_of_ones(column: ScannedColumn, sample: Sample) -> float:
    values = np.concatenate([numbers_of(part) for part in sample.log.sample[column.name] if not pt.is_null(part.type)])
    known = values[~np.isnan(values)]
    return float(np.mean(known == 1.0)) if len(known) else 0.0


def _feature(column: ScannedColumn, rows: int, sample: Sample, session: str) -> Draft:
    """What a column that is no outcome becomes."""
    out = _unusable(column)
    if out:
        missed = words.speaks_of_outcome(column.name) and (column.is_number or not column.types)
        return Draft(column.name, "left_out", out, active=False, warning=f"left out: {out}" if missed else "")
    missing = _missing(column)
    distinct = f"more than {MOST_DISTINCT:,}" if column.has_many else f"{len(column.distinct):,}"
    if column.is_list:
        return _of_lists(column, distinct, missing)
    if (start := _first_position(column, sample, session)) is not None:
        comment = f"known only after ranking; {_range(column)}"
        return Draft(column.name, "exposure", comment, default=start)
    if words.has(column.name, words.EXPLORATION):
        return Draft(column.name, "left_out", "speaks of exploration: see docs/evaluation.md", active=False)
    if column.is_text and words.has(column.name, words.OUTCOME) and _speaks_of_two(column):
        comment = f"an outcome as text, {distinct} values? An objective is 0 or 1"
        return Draft(column.name, "left_out", comment, active=False, warning=comment)
    # What an item or a viewer determines is known before the ranking.
    if column.is_number and words.speaks_of_outcome(column.name) and sample.same_in(column.name) in ("", "session"):
        return _not_known_before(column, sample)
    if column.is_text:
        return _category(column, rows, distinct, missing, "text")
    code = words.has(column.name, words.CODE) and column.whole and column.finite and len(column.distinct) > 2
    if code and len(column.distinct) <= _WHOLE_CODES:
        return _category(column, rows, distinct, missing, "whole numbers, by the name a code")
    if code and words.has(column.name, words.ID):
        comment = f"an id with {distinct} values{missing}; a model sees its statistics better than its number"
        return Draft(column.name, "left_out", comment, active=False)
    infinite = "" if column.finite else "; some are infinite"
    return Draft(column.name, "numeric", f"{_range(column)}{infinite}{missing}")


def _not_known_before(column: ScannedColumn, sample: Sample) -> Draft:
    """What a number becomes whose name is that of an outcome, and which is no objective as it stands."""
    present = column.rows - column.nulls
    if (column.whole and len(column.distinct) <= _FEW_OUTCOMES) or column.others <= _FEW_OTHERS * present:
        warning = f"{_instead_of_labels(column)}; an objective is 0 or 1"
        positives = _share_of_ones(column, sample)
        return Draft(column.name, "objectives", _range(column), active=False, warning=warning, positives=positives)
    warning = f"{_range(column)}; the name speaks of an outcome: known only afterwards?"
    return Draft(column.name, "numeric", _range(column), active=False, warning=warning)


def _instead_of_labels(column: ScannedColumn) -> str:
    """What keeps a column from being an objective: other values than 0 and 1, or a single value."""
    if not column.others:
        present, value = column.rows - column.nulls, next(iter(column.distinct))
        return f"{present:,} of {column.rows:,} rows are {value:g}, and the others are missing"
    found = sorted(column.distinct - {0, 1})
    shown = [f"{value:g}" for value in found[: _FEW_OUTCOMES - 1]] + ([] if column.finite else ["infinite"])
    more = ", …" if len(found) >= _FEW_OUTCOMES else ""
    return f"{column.others:,} of {column.rows:,} rows {'is' if column.others == 1 else 'are'} {', '.join(shown)}{more}"


def _unusable(column: ScannedColumn) -> str:
    """Why a column cannot be a feature, or says nothing; "" if it can."""
    if not column.types or column.values == 0 or column.nulls == column.rows:
        return "no value in any row"
    if column.absent:
        days = ", ".join(str(day) for day in sorted(column.absent)[:3])
        return f"{column.shown_type}; not in all files: lacking on {days}{', …' if len(column.absent) > 3 else ''}"
    kind = column.types[0]
    if pt.is_temporal(kind):
        return f"{column.shown_type}; a model reads a distance, such as the hours since, and not a point in time"
    if not (column.is_number or column.is_text):
        return f"{column.shown_type}; write what a model should read as a column of its own"
    if len({arrow.is_list(one) for one in column.types}) > 1:
        return f"{column.shown_type}: lists in some files and single values in others"
    if not column.is_list and len(column.distinct) == 1 and column.nulls == 0 and column.finite:
        return f"the same in all rows: {one_line(str(next(iter(column.distinct))), 40)!r}"
    return ""


def _of_lists(column: ScannedColumn, distinct: str, missing: str) -> Draft:
    sizes = sorted(column.sizes)
    is_vector = len(sizes) == 1 and (_all_floating(column) or (sizes[0] >= _LEAST_VECTOR and column.least < 0))
    if column.is_text or (column.whole and not is_vector):
        size = next((size for size in _MULTI_VALUED_SIZES if size > len(column.distinct)), _MULTI_VALUED_SIZES[-1])
        return Draft(column.name, "multi_valued", f"lists of {distinct} values{missing}", size=size)
    if len(sizes) != 1 or column.nulls or not 0 < sizes[0] <= _LARGEST_VECTOR:
        shown = " to ".join(str(size) for size in dict.fromkeys((sizes[0], sizes[-1]))) if sizes else "no"
        comment = f"lists of {shown} numbers{missing}; an embedding has one size, in every row"
        return Draft(column.name, "left_out", comment, active=False)
    if not column.finite:
        return Draft(column.name, "left_out", "an embedding with numbers that are not finite", active=False)
    return Draft(column.name, "dense", f"a vector of {sizes[0]} numbers", size=sizes[0])


def _all_floating(column: ScannedColumn) -> bool:
    return all(pt.is_floating(kind) or pt.is_decimal(kind) for kind in column.elements)


def _category(column: ScannedColumn, rows: int, distinct: str, missing: str, what: str) -> Draft:
    count = len(column.distinct)
    present = rows - column.nulls
    if column.has_many or count > _MOST_CATEGORIES or (count > 2 and count * _ROWS_PER_CATEGORY > present):
        comment = f"{what} with {distinct} values in {present:,} rows{missing}: an id or free text"
        return Draft(column.name, "left_out", comment, active=False)
    return Draft(
        column.name, "categorical", f"{what}, {distinct} values{missing}", size=count if count > 1_000 else None
    )


def _speaks_of_two(column: ScannedColumn) -> bool:
    """Whether a text column named as an outcome has values that stand for yes and no, and few others."""
    texts = {(v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v)).lower() for v in column.distinct} - {""}
    if texts in _YES_AND_NO:
        return True
    few = len(texts) <= _FEW_OUTCOMES and words.speaks_of_outcome(column.name)
    return few and not words.has(column.name, words.CODE) and any(pair <= texts for pair in _YES_AND_NO)


def _first_position(column: ScannedColumn, sample: Sample, session: str) -> float | None:
    """The exposure of the most attention, if the column is a position by its name and its values."""
    if not (words.has(column.name, words.POSITION) and column.is_number and column.whole and column.finite):
        return None
    if sample.same_in(column.name) in ("viewer", "item") or len(column.distinct) < 2:
        return None
    return column.least


def _missing(column: ScannedColumn) -> str:
    return f"; {100 * column.nulls / column.rows:.2g} % missing" if column.nulls else ""


def _range(column: ScannedColumn) -> str:
    kinds = "whole numbers" if column.whole else "numbers"
    return f"{kinds} from {column.least:.6g} to {column.largest:.6g}"


def _doubled(name: str) -> Draft:
    if not name:
        return Draft(name, "left_out", "it has no name", active=False)
    return Draft(name, "left_out", STANDS_TWICE, active=False, warning=STANDS_TWICE)


def _with_leaks(drafts: Sequence[Draft], sample: Sample) -> Iterator[tuple[Draft, tuple[Leak, ...]]]:
    """Each column with the outcomes that it tells, measured on the sample."""
    objectives = [draft.column for draft in drafts if draft.field == "objectives" and draft.active]
    labels = {name: _joined_numbers(sample.log.sample[name]) for name in objectives}
    for draft in drafts:
        found: list[Leak] = []
        if draft.field in ("numeric", "categorical", "multi_valued", "dense"):
            values = _inputs(draft, sample.log.sample[draft.column])
            for objective, of_objective in labels.items():
                known = np.isfinite(of_objective)
                outcomes = Outcomes(of_objective[known, np.newaxis] == 1.0, sample.viewers[known])
                found += find_leaks([(draft.column, values[known])], outcomes, [objective])
        yield draft, tuple(found)


def _warned(draft: Draft, leaks: Sequence[Leak]) -> Draft:
    if not leaks:
        return draft
    leak = leaks[0]
    finding = f"AUC {leak.value:.3f}" if leak.sign == "alone" else f"in some of its values {100 * leak.value:.0f} %"
    others = f" (and {len(leaks) - 1} more)" if len(leaks) > 1 else ""
    warning = f"it tells {one_line(leak.objective)}{others}, {finding}: known only afterwards?"
    return replace(draft, active=False, warning=warning)


def _inputs(draft: Draft, parts: Iterable[pa.Array]) -> npt.NDArray[np.float32]:
    """What models read of a column, float32 [rows, inputs], NaN where missing."""
    if draft.field == "numeric":
        return _joined_numbers(parts).astype(np.float32)[:, np.newaxis]
    column = LogColumn(draft.column, draft.field, draft.size or 1)
    kind = column_kind(draft.field)
    if draft.field == "dense":
        return np.concatenate(
            [
                kind.to_lists(column, part).flatten().to_numpy(zero_copy_only=False).reshape(len(part), -1)
                for part in parts
            ]
        )
    if draft.field == "categorical":
        return _ranks(np.concatenate([_texts(column, part) for part in parts]))[:, np.newaxis]
    return _counted(column, parts)


def _counted(column: LogColumn, parts: Iterable[pa.Array]) -> npt.NDArray[np.float32]:
    """The size of each list, and whether it has each of the most frequent values, [rows, 1 + values]."""
    lists = pa.chunked_array([column_kind(column.kind).to_lists(column, part) for part in parts])
    series = pd.Series([of or [] for of in lists.to_pylist()])
    exploded = series.explode().dropna()
    kept = exploded.value_counts().index[:_MULTI_VALUED_FOR_LEAKS]
    inputs = np.zeros((len(series), 1 + len(kept)), np.float32)
    inputs[:, 0] = series.str.len()
    for place, value in enumerate(kept, start=1):
        inputs[exploded.index[exploded == value], place] = 1.0
    return inputs


def _hashes(viewers: npt.NDArray[np.object_]) -> Ints:
    """A hash of each viewer, [rows], the same in every process."""
    codes, distinct = pd.factorize(viewers)
    texts = np.array([viewer.decode("utf-8", "replace") for viewer in distinct], dtype=object)
    return (pd.util.hash_array(texts, categorize=False) >> np.uint64(1)).astype(np.int64)[codes]


def _ranks(values: npt.NDArray[np.object_]) -> npt.NDArray[np.float32]:
    """The rank by frequency of each value, NaN where missing, [rows]."""
    series = pd.Series(values)
    ranks = {value: rank for rank, value in enumerate(series.value_counts().index)}
    return series.map(ranks).to_numpy(np.float32)


def _joined_numbers(parts: Iterable[pa.Array]) -> npt.NDArray[np.float64]:
    return np.concatenate([np.full(len(part), np.nan) if pt.is_null(part.type) else numbers_of(part) for part in parts])


def _texts(column: LogColumn, part: pa.Array) -> npt.NDArray[np.object_]:
    """[rows] bytes, None where missing, of ids or categories."""
    if pt.is_null(part.type):
        return np.full(len(part), None, dtype=object)
    lists = column_kind(column.kind).to_lists(column, part)
    found = np.full(len(part), None, dtype=object)
    present = lists.is_valid().to_numpy(zero_copy_only=False)
    found[present] = np.array(lists.flatten().to_pylist(), dtype=object)
    return found
