"""Guesses which columns are the keys of an impression, from names and from how the columns group the rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import numpy.typing as npt

from pipeline.draft import words
from pipeline.draft.scan import STANDS_TWICE, LogScan, ScannedColumn
from ranker.features.keys_and_labels import IdKind, TimestampKind
from ranker.feed_log.layout import FeedLogError
from ranker.plain_text import one_line

ROLES = ("session", "viewer", "item")

_MAY_SHARE = "only session and viewer may share a column"
_CANDIDATES = 6
_HINTS = {"session": words.SESSION, "viewer": words.VIEWER, "item": words.ITEM}
_DETERMINED_ROWS = 20_000
_FEW = 10  # values; an id has more
_MOST_OUTSIDE = 0.02  # `Timestamps.max_outside`


@dataclass(frozen=True)
class Guess:
    """The column of a key.

    Attributes:
        column: its name.
        why: what speaks for it, for a comment.
    """

    column: str
    why: str


def guess_keys(log: LogScan, given: Mapping[str, str | None]) -> dict[str, Guess]:
    """The columns of session, viewer, item and timestamp.

    Args:
        log: the columns of the feed log.
        given: role → the column that the user named; None where it is to be guessed.

    Raises:
        FeedLogError: no column can be one of the keys, or a named one cannot.
    """
    _check_given(given)
    time = _timestamp(log, given.get("timestamp"))
    if role := next((role for role in ROLES if given.get(role) == time.column), None):
        raise FeedLogError(
            f"--{role} {time.column}: it is the timestamp too, and {_MAY_SHARE}; name another column for --{role} or "
            "--timestamp"
        )
    found = _ids(log, {role: given.get(role) for role in ROLES}, time.column)
    return {**found, "timestamp": time}


def _check_given(given: Mapping[str, str | None]) -> None:
    """Checks that no column is given for two keys but a viewer as the session."""
    for one, other in combinations(given, 2):
        if given[one] is not None and given[one] == given[other] and {one, other} != {"session", "viewer"}:
            raise FeedLogError(
                f"--{one} and --{other} {given[one]}: {_MAY_SHARE}; name another column for --{one} or --{other}"
            )


def _timestamp(log: LogScan, given: str | None) -> Guess:
    named = _named(log, "timestamp", given)
    candidates = [named] if named else [column for column in log.columns.values() if column.is_time]
    good = [column for column in candidates if _is_of_the_days(column, log.rows)]
    if not good:
        raise FeedLogError(
            "no column can be the timestamp: it is a timestamp, a date or an integer that counts milliseconds since "
            f"1970, in every row, and of its folder's day; {_described(candidates, log) or 'no column has such a type'}"
            f"{_twice(log)}. Add one to the log; the day of the folder is enough"
        )
    best = max(good, key=lambda column: (words.hint(column.name, words.TIMESTAMP), column.name == "timestamp"))
    others = [column.name for column in good if column is not best]
    why = f"{best.shown_type}; of the folder's day" + (f"; could also be {_listed(others)}" if others else "")
    return Guess(best.name, why)


def _is_of_the_days(column: ScannedColumn, rows: int) -> bool:
    return (
        column.is_time
        and all(TimestampKind.accepts(kind) for kind in column.types)
        and column.nulls == 0
        and column.rows == rows
        and column.outside <= _MOST_OUTSIDE * rows
    )


def _described(candidates: list[ScannedColumn], log: LogScan) -> str:
    parts = []
    for column in candidates[:5]:
        if column.nulls or column.rows < log.rows:
            problem = f"has no value in {column.nulls + log.rows - column.rows:,} rows"
        elif column.outside:
            problem = f"{column.outside:,} of {column.rows:,} rows are of another day, read as milliseconds"
        else:
            problem = f"is {column.shown_type}"
        parts.append(f"{one_line(column.name)!r} {problem}")
    return ", ".join(parts)


def _ids(log: LogScan, given: Mapping[str, str | None], time: str) -> dict[str, Guess]:
    named = {role: _named(log, role, column) for role, column in given.items()}
    for role, column in named.items():
        if column is not None and not _can_be_id(column, log.rows):
            raise FeedLogError(f"--{role} {column.name}: a key is {IdKind.accepted}, in every row; {_why_not(column)}")
    candidates = [
        column
        for column in log.columns.values()
        if _can_be_id(column, log.rows) and column.name != time and not column.is_binary_outcome
    ]
    if not candidates and None in named.values():
        raise FeedLogError(
            f"no column can be the session, viewer and item: a key is {IdKind.accepted}, in every row{_twice(log)}; "
            "add a column with the number of the row to the log if it has none of them"
        )
    by_role = {
        role: [column] if column else sorted(candidates, key=lambda c: -_alone(c, role, log))[:_CANDIDATES]
        for role, column in named.items()
    }
    distinct = {column.name: column for columns in by_role.values() for column in columns}
    counts = _Counts(log, tuple(distinct))
    possible = [
        columns for columns in product(*by_role.values()) if columns[2].name not in (columns[0].name, columns[1].name)
    ]
    if not possible:
        raise FeedLogError(
            f"only {' and '.join(repr(one_line(name)) for name in distinct)} can be an id; the item needs a column "
            f"other than session and viewer{_twice(log)}: add one to the log, such as the number of the row"
        )
    best = max(possible, key=lambda columns: _score(columns, counts, log))
    return {
        role: Guess(column.name, _reason(role, column, best[1], best[0], counts))
        for role, column in zip(ROLES, best, strict=True)
    }


def _named(log: LogScan, role: str, column: str | None) -> ScannedColumn | None:
    if column is None:
        return None
    if column in log.twice:
        raise FeedLogError(f"--{role} {column}: it {STANDS_TWICE}")
    if column not in log.columns:
        raise FeedLogError(f"--{role} {column}: the log has no such column; it has {', '.join(log.columns)}")
    return log.columns[column]


def _twice(log: LogScan) -> str:
    """Which columns are not looked at because a file has them twice, for the end of a clause; "" if there are none."""
    names = [repr(one_line(name)) for name in log.twice if name]
    return f"; {_listed(names)} {STANDS_TWICE}" if names else ""


def _can_be_id(column: ScannedColumn, rows: int) -> bool:
    return (
        bool(column.types)
        and all(IdKind.accepts(kind) for kind in column.types)
        and column.nulls == 0
        and column.rows == rows
        and not column.absent
        and (column.is_text or (column.whole and column.finite))
    )


def _why_not(column: ScannedColumn) -> str:
    if column.types and all(IdKind.accepts(kind) for kind in column.types):
        return "it has fractions" if not column.whole else "it is missing in some rows"
    return f"it is {column.shown_type or 'null everywhere'}"


class _Counts:
    """How columns group the rows of the sample.

    Attributes:
        rows: of the sample.
        values: distinct values by column.
        determined: how many other columns are the same in all rows of a value, by column: those of a viewer are.
    """

    def __init__(self, log: LogScan, names: tuple[str, ...]) -> None:
        codes: dict[str, npt.NDArray[np.int64]] = {name: log.codes(name) for name in names}
        self.rows = len(next(iter(codes.values())))
        self.values = {name: int(of.max()) + 1 for name, of in codes.items()}
        self._pairs = {
            frozenset((one, other)): len(np.unique(codes[one] * self.values[other] + codes[other]))
            for one, other in combinations(names, 2)
        }
        attributes = [column.name for column in log.columns.values() if not column.is_list and _varies(column)]
        head = {name: log.codes(name, _DETERMINED_ROWS) for name in {*names, *attributes}}
        self.determined = {name: _determined(head, name, attributes) for name in names}

    def pairs(self, one: str, other: str) -> int:
        """Distinct pairs of the values of two columns."""
        return self.values[one] if one == other else self._pairs[frozenset((one, other))]


def _varies(column: ScannedColumn) -> bool:
    return (column.is_number or column.is_text) and len(column.distinct) > 1


def _determined(codes: Mapping[str, npt.NDArray[np.int64]], name: str, others: Sequence[str]) -> int:
    """How many of the other columns a column determines; 0 if its values hardly come back."""
    own = codes[name]
    values = len(np.unique(own))
    if len(own) < 1.5 * values:
        return 0
    found = 0
    for other in others:
        pairs = len(np.unique(own * (int(codes[other].max()) + 2) + codes[other] + 1))
        # A column that is in turn the same for several values is an attribute, and no second name of the column.
        found += other != name and pairs == values and len(np.unique(codes[other])) < values
    return found


def _alone(column: ScannedColumn, role: str, log: LogScan) -> float:
    """How plausible a column is for a role by itself."""
    score = words.hint(column.name, _HINTS[role])
    # The best hint for another role counts against it.
    score -= 0.5 * max(words.hint(column.name, _HINTS[other]) for other in ROLES if other != role)
    if not words.has(column.name, words.ID) and score < 1.0:
        score -= 2.0 if column.is_number else 0.5
    if words.has(column.name, words.CODE - words.ID) or (words.has(column.name, words.OUTCOME) and column.is_number):
        score -= 1.0
    if words.has(column.name, words.POSITION):
        score -= 6.0
    few = len(column.distinct)
    return score - (3.0 if few < _FEW and few * 20 < log.rows else 0.0)


def _score(columns: tuple[ScannedColumn, ...], counts: _Counts, log: LogScan) -> float:
    session, viewer, item = columns
    score = sum(_alone(column, role, log) for role, column in zip(ROLES, columns, strict=True))
    per_session = counts.rows / counts.values[session.name]
    score += 1.0 if 1.2 <= per_session <= 500 else -2.0
    if session.name == viewer.name:
        score -= 1.0
    elif counts.pairs(session.name, viewer.name) == counts.values[session.name]:
        score += 2.0 if counts.values[session.name] < counts.rows else 0.0
    else:
        score -= 4.0
    if counts.pairs(session.name, item.name) >= 0.9 * counts.rows:
        score += 1.0
    if counts.values[item.name] == counts.rows:
        score -= 1.0
    return score + sum(min(3, counts.determined[column.name]) for column in (viewer, item))


def _reason(role: str, column: ScannedColumn, viewer: ScannedColumn, session: ScannedColumn, counts: _Counts) -> str:
    values = counts.values[column.name]
    text = f"{values:,} values in {counts.rows:,} rows"
    if role == "session":
        if column.name == viewer.name:
            return f"{text}; no column groups the rows within a viewer, so a viewer's day is a session"
        if values == counts.rows:
            return f"{text}: every impression is a session of its own, so that no order within sessions is measured"
        if counts.pairs(column.name, viewer.name) == values:
            return f"{text}; each has one {one_line(viewer.name)}"
        return f"{text}; some have several of {one_line(viewer.name)}: check it"
    if not words.hint(column.name, _HINTS[role]):
        return f"{text}; its name does not say so: check it"
    return text


def _listed(names: list[str]) -> str:
    return ", ".join(one_line(name) for name in names[:4]) + (", …" if len(names) > 4 else "")
