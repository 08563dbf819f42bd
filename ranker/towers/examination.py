"""The examination model: how likely a viewer looks at an impression, compared with the default exposure.

The probability of an outcome is examination × relevance, and only relevance says something about a candidate. In a log,
the two go together, because the ranker put what it found relevant where viewers look. In sessions of random order they
do not. So examination is fitted on those, and then is a fixed factor while relevance is learnt from all impressions.

Within one session of random order, every item has the same relevance on average over the possible orders. So an outcome
falls on an impression with a chance that is proportional to its examination. The model maximises that likelihood, over
all sessions and objectives. What differs between sessions, viewers and objectives cancels (Joachims et al., "Unbiased
learning-to-rank with biased feedback", WSDM 2017, estimates the same ratio from randomised positions).

The logarithm of examination is a sum over the exposure columns: of a piecewise linear function of a number's logarithm,
and of a table for a category. Each has a common part and a part per value of the features in `Examination.by`. Random
sessions are few, so priors draw a curve to a straight line, and that of one value to the common one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize
import scipy.sparse
import tensorflow as tf
from numpy.typing import NDArray

from ranker import keys
from ranker.arrays import read_arrays, write_arrays
from ranker.config.columns import Exposure
from ranker.config.examination import Examination
from ranker.features.exposure import default_values
from ranker.storage import join

_FILE = "examination.npz"
_LEAST_POSITIVES = 100
# Precisions of Gaussian priors of effects on the logarithm. The effect over a number's complete range may be large. A
# piece is drawn to the straight line, and for one value of a feature even more so.
_COMMON_PRECISION = 0.25
_COMMON_PIECE_PRECISION = 10.0
_PIECE_FACTOR = 16.0
_LEAST = -12.0  # of the logarithm; smaller values are rounded to it, so that every probability is above 0

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RandomImpressions:
    """Impressions whose position was drawn at random.

    Attributes:
        values: [rows, exposure columns], as `ranker.features.exposure` makes them.
        by: [rows, features], codes of the features on whose value the effect depends.
        session: [rows], a number per session.
        outcomes: [rows], positives of the impression over all objectives; what was not observed is none.
    """

    values: NDArray[np.float32]
    by: Ints
    session: Ints
    outcomes: Floats

    @staticmethod
    def of(batches: Iterable[Mapping[str, NDArray[Any]]]) -> "RandomImpressions":
        """Keeps the random ones of Transform's outputs in batches of rows."""
        parts: list[tuple[NDArray[Any], ...]] = []
        for batch in batches:
            random = batch[keys.RANDOM_SESSION][:, 0] >= 0
            by = batch.get(keys.EXAMINED_BY, np.zeros((len(random), 0), np.int64))
            columns = (batch[keys.EXPOSURE_VALUES], by, batch[keys.RANDOM_SESSION][:, 0])
            parts.append((*(column[random] for column in columns), np.nansum(batch[keys.LABELS][random], axis=1)))
        values, by, session, outcomes = (np.concatenate(column) for column in zip(*parts, strict=True))
        return RandomImpressions(values, by, session, outcomes.astype(np.float64))


@dataclass(frozen=True, eq=False)
class Basis:
    """The functions of one exposure column that the logarithm of examination is a sum of; all are 0 at the default.

    Attributes:
        numeric: whether the column is a number.
        points: of a number the ends of the linear pieces, in signed logarithms of the distance to the default,
            ascending; of a category the values other than the default.
        default: the value of the default.
    """

    numeric: bool
    points: NDArray[np.float32]
    default: float

    @property
    def width(self) -> int:
        """Number of functions: of a number the straight line and its pieces, if it varies."""
        if not self.numeric:
            return len(self.points)
        return len(self.points) if len(self.points) > 1 else 0

    @property
    def is_piece(self) -> NDArray[np.bool_]:
        """Whether each function is one piece of a curve, [width]."""
        return np.arange(self.width) > 0 if self.numeric else np.zeros(self.width, bool)

    def __call__(self, column: tf.Tensor) -> tf.Tensor:
        """Values [batch] → float32 [batch, width]."""
        if not self.numeric:
            return tf.cast(tf.equal(column[:, tf.newaxis], self.points), tf.float32)
        low = np.concatenate([self.points[:1], self.points[:-1]])[: self.width]
        high = np.concatenate([self.points[-1:], self.points[1:]])[: self.width]
        at_default = np.clip((0.0 - low) / (high - low), 0.0, 1.0)
        distance = _signed_log(column - self.default)[:, tf.newaxis]
        return tf.clip_by_value((distance - low) / (high - low), 0.0, 1.0) - at_default


class ExaminationModel(tf.Module):
    """Exposure → the logarithm of examination, at most 0.

    Args:
        bases: one per exposure column.
        common: [functions], the coefficients of all bases together.
        tables: for each feature in `by`, [codes, functions], what is added to them.
    """

    def __init__(
        self, bases: Sequence[Basis], common: NDArray[np.float32], tables: Sequence[NDArray[np.float32]]
    ) -> None:
        super().__init__(name="examination")
        self._bases = tuple(bases)
        self._common = np.asarray(common, np.float32)
        self._tables = tuple(np.asarray(table, np.float32) for table in tables)

    @property
    def exposure(self) -> int:
        """Number of exposure columns."""
        return len(self._bases)

    @property
    def by_codes(self) -> tuple[int, ...]:
        """Number of codes of each feature on whose value the effect depends."""
        return tuple(len(table) for table in self._tables)

    def __call__(self, values: tf.Tensor, by: tf.Tensor | None) -> tf.Tensor:
        """The logarithm of examination, float32 [batch, 1].

        Args:
            values: float32 [batch, exposure columns].
            by: int64 [batch, features]; None where the effect depends on none.
        """
        functions = tf.concat([basis(values[:, i]) for i, basis in enumerate(self._bases)], axis=1)
        weights = tf.constant(self._common)[tf.newaxis]
        if by is not None:
            for i, table in enumerate(self._tables):
                weights += tf.gather(table, by[:, i])
        return tf.clip_by_value(tf.reduce_sum(functions * weights, axis=1, keepdims=True), _LEAST, 0.0)

    def save(self, folder: str) -> None:
        """Writes one file into `folder`, a path or URI."""
        arrays = {"common": self._common}
        for i, basis in enumerate(self._bases):
            arrays[f"basis.{i:02d}.points"] = basis.points
            arrays[f"basis.{i:02d}.of"] = np.array([float(basis.numeric), basis.default])
        arrays |= {f"table.{i:02d}": table for i, table in enumerate(self._tables)}
        write_arrays(join(folder, _FILE), arrays)

    @staticmethod
    def load(folder: str) -> "ExaminationModel":
        """Reads what `save` wrote.

        Raises:
            ValueError: there is no such file, or it is corrupt; the message names it.
        """
        with read_arrays(join(folder, _FILE), "warm start") as arrays:
            names = sorted(arrays.files)
            bases = [
                Basis(bool(arrays[f"{name[:-7]}.of"][0]), arrays[name], float(arrays[f"{name[:-7]}.of"][1]))
                for name in names
                if name.endswith(".points")
            ]
            return ExaminationModel(
                bases, arrays["common"], [arrays[name] for name in names if name.startswith("table.")]
            )


def fit_examination(
    data: RandomImpressions, exposure: Sequence[Exposure], by_codes: Sequence[int], settings: Examination
) -> ExaminationModel:
    """The examination model that makes the outcomes of random sessions most likely.

    Args:
        data: impressions whose position was drawn at random.
        exposure: the exposure columns, in the order of `data.values`.
        by_codes: number of codes of each feature in `settings.by`.
        settings: of the config.

    Raises:
        ValueError: there are too few outcomes, or exposure does not vary.
    """
    positives = int(data.outcomes.sum())
    if positives < _LEAST_POSITIVES:
        raise ValueError(
            f"examination: the training days have {positives} outcomes on {len(data.outcomes)} impressions at random "
            f"positions, and at least {_LEAST_POSITIVES} are needed; show more sessions in random order, train on more "
            "days, or set `examination` to None"
        )
    bases = [
        _basis(one, default, data.values[:, i], settings.pieces)
        for i, (one, default) in enumerate(zip(exposure, default_values(exposure), strict=True))
    ]
    functions = np.concatenate([basis(data.values[:, i]).numpy() for i, basis in enumerate(bases)], axis=1)
    if functions.shape[1] == 0:
        names = ", ".join(one.name for one in exposure)
        raise ValueError(f"examination: {names} has the same value in all impressions at random positions")
    seen = [np.unique(codes, return_inverse=True) for codes in data.by.T]
    blocks = [_block(functions, index, len(codes)) for codes, index in seen]
    design = scipy.sparse.hstack([scipy.sparse.csr_matrix(functions, dtype=np.float64), *blocks], format="csr")
    is_piece = np.concatenate([basis.is_piece for basis in bases])
    common_precision = np.where(is_piece, _COMMON_PIECE_PRECISION, _COMMON_PRECISION)
    own_precision = settings.shrinkage * np.where(is_piece, _PIECE_FACTOR, 1.0)
    values = sum(len(codes) for codes, _ in seen)
    precision = np.concatenate([common_precision, np.tile(own_precision, values)])
    found = _maximise(design, data, precision)
    common, *parts = np.split(found, np.cumsum([functions.shape[1], *(block.shape[1] for block in blocks)])[:-1])
    tables = []
    for size, (codes, _), part in zip(by_codes, seen, parts, strict=True):
        table = np.zeros((size, functions.shape[1]), np.float32)
        table[codes] = part.reshape(len(codes), -1)
        tables.append(table)
    return ExaminationModel(bases, common.astype(np.float32), tables)


def _basis(exposure: Exposure, default: float, values: NDArray[np.float32], pieces: int) -> Basis:
    if isinstance(exposure.default, str):
        return Basis(False, np.setdiff1d(values, [default]).astype(np.float32), default)
    distance = _signed_log(tf.constant(values) - default).numpy()
    return Basis(True, np.unique(np.quantile(distance, np.linspace(0, 1, pieces + 1)).astype(np.float32)), default)


def _signed_log(distance: tf.Tensor) -> tf.Tensor:
    """0 at 0, and a logarithm on both sides: attention falls by ratios of positions, not by differences."""
    return tf.sign(distance) * tf.math.log1p(tf.abs(distance))


def _block(functions: NDArray[np.float32], index: Ints, values: int) -> scipy.sparse.csr_matrix:
    """The columns of the design of one feature: the functions, in the place of the row's value."""
    rows, width = functions.shape
    columns = (index[:, np.newaxis] * width + np.arange(width)).reshape(-1)
    entries = (functions.reshape(-1).astype(np.float64), (np.repeat(np.arange(rows), width), columns))
    return scipy.sparse.csr_matrix(entries, shape=(rows, values * width))


def _maximise(design: scipy.sparse.csr_matrix, data: RandomImpressions, precision: Floats) -> Floats:
    """The coefficients with the largest likelihood times prior."""
    order = np.argsort(data.session, kind="stable")
    design, outcomes = design[order], data.outcomes[order]
    _, begin, sizes = np.unique(data.session[order], return_index=True, return_counts=True)
    of_session = np.add.reduceat(outcomes, begin)

    def loss(coefficients: Floats) -> tuple[float, Floats]:
        logarithm = design @ coefficients
        highest = np.maximum.reduceat(logarithm, begin)
        raised = np.exp(logarithm - np.repeat(highest, sizes))
        total = np.add.reduceat(raised, begin)
        likelihood = outcomes @ logarithm - of_session @ (np.log(total) + highest)
        expected = raised * np.repeat(of_session / total, sizes)
        slope = design.T @ (outcomes - expected)
        penalty = precision * coefficients
        return float(0.5 * coefficients @ penalty - likelihood), penalty - slope

    start = np.zeros(design.shape[1])
    solved = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000})
    return np.asarray(solved.x)
