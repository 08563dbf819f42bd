"""tf.data input from LeafEncoder's shards.

Parsing is vectorised and done while the records are still in the CPU cache. Rows are shuffled by gathering from blocks
of parsed rows. Moving single rows through a shuffle buffer would make the input nearly twice as expensive. That
matters, as a training step takes only 50 microseconds per row on one core.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from ranker import keys
from ranker.examples import parsed_batches
from ranker.towers.examination import ExaminationModel, RandomImpressions
from ranker.towers.inputs import TowerInputs
from ranker.towers.sampling import Sampler
from ranker.towers.weighing import WEIGHT_SPEC, Weighing

_COUNT_BATCH = 4096
_PARSE_BATCH = 512
_EPOCH_STRIDE = 1 << 32  # blocks that an epoch cannot have
_OPEN_SHARDS = 16
_READ_BYTES = 1 << 20
_U16_LEAVES = 65_536
_MOST = 1.0 - 1e-6  # of a rate


@dataclass(frozen=True)
class LabelCounts:
    """Positives per objective among the training impressions.

    Attributes:
        rows: impressions.
        positives: [objectives], impressions with the objective, each with its weight.
        weights: [objectives], sum of the loss weights of the impressions with an observed label; None where every label
            is observed and each impression weighs 1.
        row_weight: what the weights, and the positives, were divided by: the mean weight of the impressions.
        log_odds_offset: [objectives], what dropping negatives has added to the log-odds.
        mean_examination: of the impressions; 1 without an examination model.
    """

    rows: int
    positives: np.ndarray
    weights: np.ndarray | None = None
    log_odds_offset: np.ndarray | float = 0.0
    mean_examination: float = 1.0
    row_weight: float = 1.0

    @property
    def rates_in_loss(self) -> np.ndarray:
        """[objectives], the rates of positives that the loss sees.

        They are clipped half an impression away from 0 and 1, or a quarter of those with the label where these are
        fewer than two, so that the log-odds are finite. Without such an impression, the rate is 0.5.
        """
        total = np.full(len(self.positives), self.rows) if self.weights is None else self.weights
        least = np.minimum(0.5, total / 4.0)
        clipped = np.clip(self.positives, least, total - least)
        return np.divide(clipped, total, out=np.full(len(total), 0.5), where=self.has_labels)

    @property
    def has_labels(self) -> np.ndarray:
        """[objectives], whether any impression in the loss has the label, with a weight above 0."""
        return np.full(len(self.positives), True) if self.weights is None else self.weights > 0

    @property
    def scale(self) -> np.ndarray:
        """[objectives], factors that give the rows a mean loss weight of 1; 1 for an objective without labels."""
        ones = np.ones(len(self.positives))
        if self.weights is None:
            return ones
        return np.divide(self.rows, self.weights * self.row_weight, out=ones, where=self.has_labels)

    @property
    def base_rates(self) -> np.ndarray:
        """[objectives], the rates of positives among all impressions that are examined, sampled or not."""
        rates = self.rates_in_loss
        log_odds = np.log(rates) - np.log1p(-rates) - self.log_odds_offset
        return np.minimum(1.0 / (1.0 + np.exp(-log_odds)) / self.mean_examination, _MOST)


def count_labels(files: Sequence[str], objectives: Sequence[str], may_lack: bool = False) -> LabelCounts:
    """Counts rows and positives in one pass that parses only the labels.

    Args:
        files: leaf examples.
        objectives: names, in the order of the labels.
        may_lack: whether objectives may be without labels, as in the days of a warm start where a label is known only
            days later. One objective needs some.

    Raises:
        ValueError: the files hold no row, or another number of labels per row; an objective lacks labels.
    """
    rows, positives, weights, of_rows, plain = 0, np.zeros(len(objectives)), np.zeros(len(objectives)), 0.0, True
    for batch in parsed_batches(files, _label_spec(objectives), _COUNT_BATCH):
        labels, weight = batch[keys.LABELS], batch[keys.ROW_WEIGHT].astype(np.float64)
        observed = ~np.isnan(labels)
        rows += len(labels)
        positives += np.where(observed, labels * weight, 0.0).sum(axis=0)
        weights += (observed * weight).sum(axis=0)
        of_rows += float(weight.sum())
        plain = plain and bool(observed.all()) and bool((weight == 1.0).all())
    _check_rows(rows, files)
    if plain:
        return LabelCounts(rows, positives)
    unseen = [name for name, total in zip(objectives, weights, strict=True) if total == 0]
    if unseen and not (may_lack and weights.any()):
        raise ValueError(f"leaf examples: no label of the objectives {unseen} is observed with a weight above 0")
    # An impression weighs 1 on average, so that counts remain comparable with those of other logs.
    mean = of_rows / rows
    return LabelCounts(rows, positives / mean, weights / mean, row_weight=mean)


def weighing_of(counts: LabelCounts) -> Weighing | None:
    """What gives the rows that were counted a mean weight of 1 in each objective's loss; None where they have it."""
    if counts.weights is None:
        return None
    return Weighing(tuple(counts.scale.tolist()))


def count_sampled(
    files: Sequence[str], objectives: Sequence[str], sampler: Sampler, everything: LabelCounts
) -> LabelCounts:
    """Counts the rows and positives that the sampler keeps.

    Args:
        files: leaf examples.
        objectives: names, in the order of the labels.
        sampler: with weights not yet scaled.
        everything: from `count_labels`, of all rows. The weights are in the same unit.

    Raises:
        ValueError: sampling keeps no impression for an objective that has labels.
    """
    weigh = Weighing.unscaled(len(objectives))
    blocks = (
        _records(files)
        .batch(_PARSE_BATCH)
        .map(lambda batch: weigh(tf.io.parse_example(batch, _label_spec(objectives))))
    )
    rows, positives, weights = 0, np.zeros(len(objectives)), np.zeros(len(objectives))
    for batch in _sampled(blocks, sampler).as_numpy_iterator():
        rows += len(batch[keys.LABELS])
        positives += (batch[keys.LABELS] * batch[keys.LOSS_WEIGHTS]).sum(axis=0)
        weights += batch[keys.LOSS_WEIGHTS].sum(axis=0)
    _check_rows(rows, files)
    kept = zip(objectives, weights, everything.has_labels, strict=True)
    if empty := [name for name, weight, has_labels in kept if has_labels and weight == 0]:
        raise ValueError(f"training.sampling: keeps no impression for the objectives {empty}")
    mean = everything.row_weight
    return LabelCounts(rows, positives / mean, weights / mean, sampler.log_odds, row_weight=mean)


def _label_spec(objectives: Sequence[str]) -> dict[str, tf.io.FixedLenFeature]:
    return {keys.LABELS: tf.io.FixedLenFeature([len(objectives)], tf.float32), keys.ROW_WEIGHT: WEIGHT_SPEC}


def _check_rows(rows: int, files: Sequence[str]) -> None:
    if rows == 0:
        raise ValueError(f"leaf examples: no row in {len(files)} files, the first of which is {files[0]}")


def _sampled(blocks: tf.data.Dataset, sampler: Sampler | None) -> tf.data.Dataset:
    """Blocks of parsed rows → their training rows. Counting and training must use the same blocks."""
    if sampler is None:
        return blocks
    return blocks.enumerate().map(lambda block, rows: sampler(rows, block))


def training_batches(
    files: Sequence[str],
    inputs: TowerInputs,
    objectives: int,
    batch_size: int,
    shuffle_buffer: int,
    epochs: int,
    seed: int,
    sampler: Sampler | None = None,
    examination: ExaminationModel | None = None,
    weighing: Weighing | None = None,
) -> tf.data.Dataset:
    """Shuffled batches of all epochs, one after another; an epoch's last batch may be smaller.

    The rows are interleaved from the files, cut into blocks of `shuffle_buffer`, and shuffled within each block. The
    order depends only on the files' names, the seed and the epoch. Each element holds the tensors of
    `TowerInputs.tensor_specs` and `labels` float32 [batch, objectives]; with a sampler, also the tensors that it adds;
    with an examination model, also `keys.LOG_EXAMINATION`. `weighing` is needed where labels are not all observed, or
    impressions differ in weight; it adds `keys.LOSS_WEIGHTS`, as a sampler does.
    """
    if sampler is not None:
        # The sampler scales all weights together.
        weighing = Weighing.unscaled(objectives)

    # Converting our code for the graph takes half a second, and it has no Python loop over tensors.
    @tf.autograph.experimental.do_not_convert
    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        parsed = (
            _records(files)
            .batch(_PARSE_BATCH)
            .map(lambda batch: parse_batch(batch, inputs, objectives, examination, weighing))
        )
        blocks = _sampled(parsed, sampler).rebatch(shuffle_buffer).enumerate()
        shuffled = blocks.map(lambda block, rows: _permuted(rows, tf.stack([seed, number * _EPOCH_STRIDE + block])))
        return shuffled.prefetch(1).rebatch(batch_size)

    return without_autotuning(tf.data.Dataset.range(epochs).flat_map(epoch).prefetch(4))


def without_autotuning(batches: tf.data.Dataset) -> tf.data.Dataset:
    """The same batches without the thread with which tf.data tunes a dataset.

    It measures every element and finds nothing to tune here, which costs a quarter of the input's time. The end of an
    iterator waits for it, at times for seconds.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)


def _permuted(rows: dict[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """The rows in a random order that is determined by the seed, int64 [2]."""
    count = tf.shape(rows[keys.LABELS])[0]
    order = tf.random.experimental.stateless_shuffle(tf.range(count), seed)
    return {name: tf.gather(tensor, order) for name, tensor in rows.items()}


def parse_batch(
    records: tf.Tensor,
    inputs: TowerInputs,
    objectives: int,
    examination: ExaminationModel | None = None,
    weighing: Weighing | None = None,
) -> dict[str, tf.Tensor]:
    """Serialised leaf examples [batch] → the tensors of as many rows.

    Raises:
        tf.errors.InvalidArgumentError: a row has another number of leaves or floats, a leaf that the forest does not
            have, or a code that its feature does not have.
    """
    spec = {
        name: tf.io.FixedLenFeature(tensor.shape[1:], tensor.dtype)
        for name, tensor in inputs.tensor_specs().items()
        if name != keys.LEAVES
    }
    if inputs.trees:
        spec[keys.LEAVES] = tf.io.FixedLenFeature([], tf.string)
    spec[keys.LABELS] = tf.io.FixedLenFeature([objectives], tf.float32)
    if weighing is not None:
        spec[keys.ROW_WEIGHT] = WEIGHT_SPEC
    if examination is not None:
        spec |= examination_spec(examination.exposure, len(examination.by_codes))
    batch = tf.io.parse_example(records, spec)
    if examination is not None:
        values, by = batch.pop(keys.EXPOSURE_VALUES), batch.pop(keys.EXAMINED_BY, None)
        batch[keys.LOG_EXAMINATION] = examination(values, by)
    if inputs.trees:
        batch[keys.LEAVES] = _decode_leaves(batch[keys.LEAVES], inputs)
    if inputs.categorical:
        batch[keys.CATEGORICAL] = _check_codes(keys.CATEGORICAL, batch[keys.CATEGORICAL], inputs.categorical)
    if inputs.ids:
        limits = [column.buckets + 1 for column in inputs.ids for _ in range(2)]
        batch[keys.HASHED_IDS] = _check_codes(keys.HASHED_IDS, batch[keys.HASHED_IDS], limits)
    if inputs.calibration_keys:
        limit = [inputs.calibration_keys]
        batch[keys.CALIBRATION_KEY] = _check_codes(keys.CALIBRATION_KEY, batch[keys.CALIBRATION_KEY], limit)
    return batch if weighing is None else weighing(batch)


def random_impressions(files: Sequence[str], objectives: int, exposure: int, by: int) -> RandomImpressions:
    """The impressions at random positions of all files.

    Args:
        files: leaf examples.
        objectives: labels per row.
        exposure: number of exposure columns.
        by: number of features on whose value their effect depends.
    """
    spec = {
        **examination_spec(exposure, by),
        keys.RANDOM_SESSION: tf.io.FixedLenFeature([1], tf.int64),
        keys.LABELS: tf.io.FixedLenFeature([objectives], tf.float32),
    }
    return RandomImpressions.of(parsed_batches(files, spec, _COUNT_BATCH))


def examination_spec(exposure: int, by: int) -> dict[str, tf.io.FixedLenFeature]:
    """The parse spec of what the examination model reads of a row."""
    spec = {keys.EXPOSURE_VALUES: tf.io.FixedLenFeature([exposure], tf.float32)}
    return {**spec, keys.EXAMINED_BY: tf.io.FixedLenFeature([by], tf.int64)} if by else spec


def _decode_leaves(encoded: tf.Tensor, inputs: TowerInputs) -> tf.Tensor:
    """Bytes [batch] → int32 [batch, trees]."""
    width = 2 if inputs.leaves <= _U16_LEAVES else 4
    expected = width * inputs.trees
    right_length = tf.debugging.assert_equal(
        tf.strings.length(encoded),
        expected,
        f"leaf examples: a row's `{keys.LEAVES}` should be {expected} bytes, {width} for each of {inputs.trees} trees; "
        "was it encoded by another forest?",
    )
    with tf.control_dependencies([right_length]):
        # Leaf ids fit int32 at either width, and decode_raw does not support uint32.
        leaves = tf.cast(tf.io.decode_raw(encoded, tf.uint16 if width == 2 else tf.int32), tf.int32)
    known = tf.debugging.assert_less(
        tf.reduce_max(leaves),
        inputs.leaves,
        f"leaf examples: the forest has {inputs.leaves} leaves; a row holds a larger id",
    )
    with tf.control_dependencies([known]):
        return tf.ensure_shape(leaves, [None, inputs.trees])


def _check_codes(name: str, codes: tf.Tensor, limits: Sequence[int]) -> tf.Tensor:
    """Codes [batch, columns], each column with its own limit. XLA would silently read another row for a larger code."""
    known = tf.debugging.assert_less(
        codes,
        tf.constant(limits, tf.int64),
        f"leaf examples: `{name}` has {max(limits)} values; a row holds a larger one",
    )
    with tf.control_dependencies([known]):
        return tf.identity(codes)


def _records(files: Sequence[str]) -> tf.data.Dataset:
    """Serialised rows of all files, read a few files at a time, always in the same order."""
    return tf.data.Dataset.from_tensor_slices(list(files)).interleave(
        lambda file: tf.data.TFRecordDataset(file, buffer_size=_READ_BYTES),
        cycle_length=min(len(files), _OPEN_SHARDS),
        block_length=64,
    )
