"""Slices: named groups of impressions, found in one pass over the impressions."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from ranker.evaluation.buckets import Ints

SliceKey = tuple[tuple[str, str], ...]  # (column, value) pairs, as in TFMA; () is all impressions
SliceSpec = tuple[str, ...]

OVERALL: SliceKey = ()
MISSING = "(missing)"
MAX_VALUES = 500


def slice_name(key: SliceKey) -> str:
    """A slice as text: `device=ios, country=us`, or `all impressions`."""
    return ", ".join(f"{column}={value}" for column, value in key) or "all impressions"


class SliceIndex:
    """Numbers slices in the order of their first impressions; 0 is all impressions.

    A spec with more than `max_values` distinct values is dropped with all its slices: they are missing in `keys()`, and
    the spec is listed in `too_many`. This does not depend on the order of the impressions.

    Args:
        specs: the columns of each kind of slice; several columns make a cross.
        max_values: maximum number of slices of one spec.
    """

    def __init__(self, specs: Sequence[SliceSpec], max_values: int = MAX_VALUES) -> None:
        self.specs = tuple(dict.fromkeys(specs))
        self.max_values = max_values
        self._numbers: dict[SliceKey, int] = {OVERALL: 0}
        self._values: dict[SliceSpec, int] = dict.fromkeys(self.specs, 0)

    @property
    def too_many(self) -> tuple[SliceSpec, ...]:
        """The specs that were dropped."""
        return tuple(spec for spec in self.specs if self._values[spec] > self.max_values)

    def keys(self) -> dict[SliceKey, int]:
        """The number of every slice, without the dropped specs."""
        dropped = set(self.too_many)
        return {key: number for key, number in self._numbers.items() if _spec_of(key) not in dropped}

    def memberships(self, columns: Mapping[str, npt.NDArray[np.object_]], rows: int) -> list[Ints]:
        """The slice number of each row, [rows], for all impressions and then for each spec that is not dropped.

        Args:
            columns: the values of each column that a spec names, bytes [rows]; b"" for a missing value.
            rows: number of rows of the batch.
        """
        found = [np.zeros(rows, np.int64)]
        for spec in self.specs:
            codes, keys = _distinct(spec, columns)
            numbers = self._number(spec, keys)
            if numbers is not None:
                found.append(numbers[codes])
        return found

    def add(self, keys: Iterable[SliceKey]) -> dict[SliceKey, int]:
        """Adds the slices of another index; returns the number of each slice that is kept."""
        by_spec: dict[SliceSpec, list[SliceKey]] = {}
        for key in keys:
            by_spec.setdefault(_spec_of(key), []).append(key)
        kept: dict[SliceKey, int] = {}
        for spec, spec_keys in by_spec.items():
            numbers = self._number(spec, spec_keys) if spec else np.zeros(1, np.int64)
            if numbers is not None:
                kept.update(zip(spec_keys, numbers.tolist(), strict=True))
        return kept

    def drop(self, specs: Iterable[SliceSpec]) -> None:
        """Drops the specs that another index dropped."""
        for spec in specs:
            self._values[spec] = self.max_values + 1

    def _number(self, spec: SliceSpec, keys: Sequence[SliceKey]) -> Ints | None:
        if self._values[spec] > self.max_values:
            return None
        for key in keys:
            if key not in self._numbers:
                self._values[spec] += 1
                if self._values[spec] > self.max_values:
                    return None
                self._numbers[key] = len(self._numbers)
        return np.array([self._numbers[key] for key in keys], np.int64)


def _spec_of(key: SliceKey) -> SliceSpec:
    return tuple(column for column, _ in key)


def _distinct(spec: SliceSpec, columns: Mapping[str, npt.NDArray[np.object_]]) -> tuple[Ints, list[SliceKey]]:
    """The row → value codes [rows] of a spec and the slice key of each code."""
    codes = np.zeros(len(columns[spec[0]]), np.int64)
    keys: list[SliceKey] = [()]
    for column in spec:
        column_codes, values = pd.factorize(columns[column])
        crossed, codes = np.unique(codes * len(values) + column_codes, return_inverse=True)
        names = [value.decode("utf-8", "replace") or MISSING for value in values]
        keys = [(*keys[code // len(values)], (column, names[code % len(values)])) for code in crossed.tolist()]
    return codes, keys
