"""The sums that all metrics are computed from, in one pass for all models, objectives and slices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ranker.evaluation import buckets
from ranker.evaluation.buckets import COARSE_BUCKETS, FINE_BUCKETS, VIEWER_GROUPS, Floats, Ints
from ranker.evaluation.cells import CellTable
from ranker.evaluation.metrics import LOG_LOSS_FLOOR
from ranker.evaluation.session_rows import MAX_ROWS, NO_SLICE, Hashes, SessionRows
from ranker.evaluation.session_sums import SessionSums, UtilityWeights, session_sums
from ranker.evaluation.slicing import MAX_VALUES, SliceIndex, SliceKey, SliceSpec


@dataclass(frozen=True)
class Sums:
    """The sums for one model, objective and slice.

    Attributes:
        counts: negative [0] and positive [1] impressions by fine bucket of the prediction, [2, FINE_BUCKETS].
        predicted: sum of the predictions by fine bucket, [FINE_BUCKETS].
        group_counts: impressions by viewer group, outcome and coarse bucket, [VIEWER_GROUPS, 2, COARSE_BUCKETS].
        group_predicted: sum of the predictions by viewer group, [VIEWER_GROUPS].
        group_log_loss: sum of the log losses in nats by viewer group, [VIEWER_GROUPS].
    """

    counts: Floats
    predicted: Floats
    group_counts: Floats
    group_predicted: Floats
    group_log_loss: Floats


@dataclass(frozen=True)
class SliceSums:
    """All sums of one slice.

    Attributes:
        impressions: the sums over impressions, by model and objective.
        sessions: the sums over sessions by model; empty if no impression has a session.
        total: number of impressions, whether their outcomes were observed or not.
    """

    impressions: dict[str, dict[str, Sums]]
    sessions: dict[str, SessionSums]
    total: int


class Accumulator:
    """Sums over impressions and sessions. It is filled batch by batch; accumulators of several machines merge in any
    order.

    Session metrics need all impressions of a session at once, so a compact row is kept of every impression, of at most
    `max_rows`; see `SessionRows`. The memory of all other sums grows with the slices, objectives and occupied buckets,
    but not with the impressions.

    Example:
        >>> accumulator = Accumulator(["candidate"], UtilityWeights({"click": 1.0}, k=10), slices=[("device",)])
        >>> accumulator.add(
        ...     labels=np.array([[True, False]]),
        ...     predictions=np.array([[[0.9, 0.2]]]),
        ...     groups=viewer_groups(np.array([b"viewer-1", b"viewer-2"], object)),
        ...     sessions=session_hashes(np.array([b"session-1", b"session-2"], object)),
        ...     columns={"device": np.array([b"ios", b"web"], object)},
        ... )
        >>> [slice_metrics.key for slice_metrics in summarize(accumulator)]
        [(), (('device', 'ios'),), (('device', 'web'),)]

    Args:
        models: names of the models that scored the impressions.
        utility: the objectives with their weights in the utility, and how many impressions at the top count.
        slices: the columns of each kind of slice.
        max_slice_values: maximum number of slices of one kind; see `SliceIndex`.
        max_rows: maximum number of impressions that session metrics are computed from.
    """

    def __init__(
        self,
        models: Sequence[str],
        utility: UtilityWeights,
        slices: Sequence[SliceSpec] = (),
        max_slice_values: int = MAX_VALUES,
        max_rows: int = MAX_ROWS,
    ) -> None:
        self.models = tuple(models)
        self.utility = utility
        self.objectives = tuple(utility.weights)
        self.index = SliceIndex(slices, max_slice_values)
        self.impressions = 0
        self.invalid: Ints = np.zeros((len(self.models), len(self.objectives)), np.int64)
        self._max_rows = max_rows
        self._rows = SessionRows(len(self.models), len(self.objectives), len(self.index.specs), max_rows)
        self._session_sums: dict[int, dict[str, SessionSums]] | None = None
        self._pairs = len(self.models) * len(self.objectives)
        self._fine = CellTable(2)  # impressions, sum of predictions
        self._grouped = CellTable(1)  # impressions
        self._moments = CellTable(2)  # sum of predictions, sum of log losses
        self._totals = CellTable(1)  # impressions of the slice

    def add(
        self,
        labels: npt.NDArray[np.bool_] | npt.NDArray[np.floating],
        predictions: Floats,
        groups: Ints,
        sessions: Hashes,
        columns: Mapping[str, npt.NDArray[np.object_]],
        examination: Floats | None = None,
    ) -> None:
        """Adds a batch of impressions.

        A prediction that is not a probability (NaN, below 0 or above 1) is skipped and counted in `invalid`. The
        session metrics of the model skip the impression.

        Args:
            labels: [objectives, batch]; as floats 0, 1, or NaN where an outcome was not observed. No metric of an
                objective counts an impression without its outcome; in utilities, such an outcome adds nothing.
            predictions: [models, objectives, batch].
            groups: viewer group of each impression, [batch].
            sessions: `session_hashes` of the impressions, [batch].
            columns: values of every column that a slice names, bytes [batch]; b"" where missing.
            examination: [models, batch], in (0, 1], the factor of the predictions that exposure makes. Session metrics
                rank by the predictions without it, as rankings do. None where no model has an exposure model.
        """
        self._check_open()
        rows = labels.shape[1]
        valid = (predictions >= 0.0) & (predictions <= 1.0)
        self.invalid += rows - valid.sum(axis=2)
        self.impressions += rows
        observed = ~np.isnan(labels)
        positive: npt.NDArray[np.bool_] = labels == 1
        # One entry per model, objective and impression; `pair` numbers models × objectives.
        pair, row = np.nonzero((valid & observed).reshape(self._pairs, rows))
        probability = predictions.reshape(self._pairs, rows)[pair, row]
        outcome = positive[pair % len(self.objectives), row].astype(np.int64)
        fine = buckets.fine_bucket(probability)
        clipped = np.clip(probability, LOG_LOSS_FLOOR, 1.0 - LOG_LOSS_FLOOR)
        log_loss = -np.log(np.where(outcome == 1, clipped, 1.0 - clipped))
        group = groups[row]
        one = np.ones_like(probability)
        memberships = self.index.memberships(columns, rows)
        for membership in memberships:
            self._totals.add(membership, np.ones((rows, 1)))
            cell = membership[row] * self._pairs + pair
            self._fine.add((cell * 2 + outcome) * FINE_BUCKETS + fine, np.stack([one, probability], axis=1))
            grouped = cell * VIEWER_GROUPS + group
            self._grouped.add((grouped * 2 + outcome) * COARSE_BUCKETS + buckets.coarse_bucket(fine), one[:, None])
            self._moments.add(grouped, np.stack([probability, log_loss], axis=1))
        numbers = np.full((len(self.index.specs), rows), NO_SLICE, np.int64)
        for spec, membership in zip(self._kept_specs(), memberships[1:], strict=True):
            numbers[spec] = membership
        relevance = predictions if examination is None else predictions / examination[:, np.newaxis]
        self._rows.add(sessions, groups, positive, np.where(valid, relevance, np.nan), numbers, observed)

    def merge(self, other: "Accumulator") -> None:
        """Adds the sums of another accumulator of the same models, objectives and slices.

        Raises:
            ValueError: the two have different models, objectives, weights or slices, or one of them is closed.
        """
        self._check_open()
        other._check_open()
        mine = (self.models, self.utility, self.index.specs, self.index.max_values, self._max_rows)
        theirs = (other.models, other.utility, other.index.specs, other.index.max_values, other._max_rows)
        if mine != theirs:
            raise ValueError(f"accumulators of different evaluations cannot be merged: {mine} and {theirs}")
        self.impressions += other.impressions
        self.invalid += other.invalid
        self.index.drop(other.index.too_many)
        their_numbers = other.index.keys()
        kept = self.index.add(their_numbers)
        renumbered = np.full(max(their_numbers.values()) + 1, -1, np.int64)
        for key, number in kept.items():
            renumbered[their_numbers[key]] = number
        for table, theirs_table, stride in zip(self._tables(), other._tables(), self._strides(), strict=True):
            table.merge(_renumbered(theirs_table, renumbered, stride))
        self._rows.merge(other._rows, renumbered)

    def close(self) -> None:
        """Computes the sums over sessions and frees the rows that they need; after that, nothing can be added."""
        self._closed_sums()

    @property
    def session_share(self) -> float:
        """The share of the sessions that session metrics are computed from; below 1 only beyond `max_rows`."""
        return self._rows.share

    @property
    def without_session(self) -> int:
        """Impressions without a session id, which are in no session metric."""
        return self._rows.without_session

    def slices(self) -> Iterator[tuple[SliceKey, SliceSums]]:
        """Every slice, all impressions first and the others by name, with its sums. Closes the accumulator."""
        sessions = self._closed_sums()
        cells = [table.items() for table in self._tables()]
        strides = self._strides()
        numbers = self.index.keys()
        for key in sorted(numbers, key=lambda key: (len(key), key)):
            dense = [
                _dense(keys, values, numbers[key] * stride, stride)
                for (keys, values), stride in zip(cells, strides, strict=True)
            ]
            *by_outcome, total = dense
            yield key, SliceSums(self._by_name(*by_outcome), sessions.get(numbers[key], {}), int(total.sum()))

    def _closed_sums(self) -> dict[int, dict[str, SessionSums]]:
        if self._session_sums is None:
            numbers = max(self.index.keys().values()) + 1
            self._session_sums = session_sums(self._rows, self.models, self.utility, self._kept_specs(), numbers)
            self._rows.clear()
        return self._session_sums

    def _kept_specs(self) -> list[int]:
        """Which kinds of slices are not dropped."""
        dropped = set(self.index.too_many)
        return [s for s, spec in enumerate(self.index.specs) if spec not in dropped]

    def _check_open(self) -> None:
        if self._session_sums is not None:
            raise ValueError("the accumulator is closed: its sessions are summed up, and nothing can be added")

    def _by_name(self, fine: Floats, grouped: Floats, moments: Floats) -> dict[str, dict[str, Sums]]:
        shape = (len(self.models), len(self.objectives))
        fine = fine.reshape(*shape, 2, FINE_BUCKETS, 2)
        grouped = grouped.reshape(*shape, VIEWER_GROUPS, 2, COARSE_BUCKETS)
        moments = moments.reshape(*shape, VIEWER_GROUPS, 2)
        return {
            model: {
                objective: Sums(
                    counts=fine[m, o, :, :, 0],
                    predicted=fine[m, o, :, :, 1].sum(axis=0),
                    group_counts=grouped[m, o],
                    group_predicted=moments[m, o, :, 0],
                    group_log_loss=moments[m, o, :, 1],
                )
                for o, objective in enumerate(self.objectives)
            }
            for m, model in enumerate(self.models)
        }

    def _tables(self) -> tuple[CellTable, CellTable, CellTable, CellTable]:
        return self._fine, self._grouped, self._moments, self._totals

    def _strides(self) -> tuple[int, int, int, int]:
        """Keys per slice of each table."""
        return (
            self._pairs * 2 * FINE_BUCKETS,
            self._pairs * VIEWER_GROUPS * 2 * COARSE_BUCKETS,
            self._pairs * VIEWER_GROUPS,
            1,
        )


def _renumbered(table: CellTable, numbers: Ints, stride: int) -> CellTable:
    """The cells of slice s under slice numbers[s]; cells of a slice that is unknown or numbered -1 are dropped."""
    keys, _ = table.items()
    slices = keys // stride
    known = slices < len(numbers)
    renumbered = np.where(known, numbers[np.where(known, slices, 0)], -1)
    return table.rekeyed(np.where(renumbered < 0, -1, renumbered * stride + keys % stride))


def _dense(keys: Ints, values: Floats, start: int, size: int) -> Floats:
    first, last = np.searchsorted(keys, [start, start + size])
    dense = np.zeros((size, values.shape[1]))
    dense[keys[first:last] - start] = values[first:last]
    return dense
