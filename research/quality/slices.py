"""Calibration of the models on each slice that the config names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from research.quality.rows import HeldOutDay

LEAST_POSITIVES = 200
_OTHER, _MISSING = "(others)", "(missing)"


@dataclass(frozen=True)
class Cell:
    """One objective on one slice.

    Attributes:
        slice: `feature=value`, several joined by `, `.
        objective: its name.
        positives: in the slice.
        o_over_e: model → O/E, the mean over its seeds.
    """

    slice: str
    objective: str
    positives: int
    o_over_e: Mapping[str, float]


def slices_of(day: HeldOutDay) -> dict[tuple[str, ...], NDArray[np.str_]]:
    """Columns of each of the config's slices → the slice of every held-out row, [test rows]."""
    return {columns: _joined([_values(day, column) for column in columns], columns) for columns in day.config.slices}


def cells(
    slices: Mapping[tuple[str, ...], NDArray[np.str_]],
    objectives: Sequence[str],
    labels: NDArray[np.float32],
    predictions: Mapping[str, NDArray[np.float32]],
) -> list[Cell]:
    """All cells with enough positives.

    Args:
        slices: from `slices_of`.
        objectives: one per column of the labels.
        labels: [rows, objectives].
        predictions: model → [seeds, rows, objectives].
    """
    found = []
    for names in slices.values():
        for name in np.unique(names):
            rows = names == name
            positives = labels[rows].sum(axis=0, dtype=np.float64)
            expected = {model: p[:, rows].sum(axis=1, dtype=np.float64) for model, p in predictions.items()}
            found += [
                Cell(
                    str(name),
                    objective,
                    int(positives[index]),
                    {model: float((positives[index] / e[:, index]).mean()) for model, e in expected.items()},
                )
                for index, objective in enumerate(objectives)
                if positives[index] >= LEAST_POSITIVES
            ]
    return found


def _joined(values: Sequence[NDArray[np.str_]], columns: Sequence[str]) -> NDArray[np.str_]:
    parts = [np.char.add(f"{column}=", of) for column, of in zip(columns, values, strict=True)]
    joined = parts[0]
    for part in parts[1:]:
        joined = np.char.add(np.char.add(joined, ", "), part)
    return joined


def _values(day: HeldOutDay, column: str) -> NDArray[np.str_]:
    """The held-out rows' values of a categorical feature, decoded from their codes."""
    features = day.config.features
    codes = day.test.features[:, len(features.numeric) + [f.name for f in features.categorical].index(column)]
    known = day.vocabularies[column]
    names = np.array([*known, _OTHER, _MISSING])
    return names[np.where(np.isnan(codes), len(known) + 1, codes).clip(max=len(known) + 1).astype(np.int64)]
