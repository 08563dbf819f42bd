"""Grows trees on spooled rows until every output has stopped: a new forest's, or those that continue an earlier one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xgboost as xgb

from ranker.config.forest import Forest as ForestConfig
from ranker.forest.boosters import keep_rounds
from ranker.forest.complete import CompleteColumns
from ranker.forest.curve import LimitedOutput, TrainingCurve
from ranker.forest.masked import log_losses, masked_logistic, mean_log_loss, together
from ranker.forest.spool import Spool, SpooledRows, SpoolIter
from ranker.forest.stopping import (
    MIN_HELD_OUT_POSITIVES,
    StopEach,
    best_rounds,
    losses_of,
    most_rounds,
    within,
)
from ranker.forest.together import total
from ranker.progress import ProgressReporter

BATCH_ROWS = 1 << 15
# Every page of external memory is read from disk in each round, so few large pages are faster.
_PAGE_ROWS = 1 << 18
# With fewer rows, the matrix is small beside the rest of the process, and the trees are those of XGBoost by itself.
_COMPLETE_FROM_ROWS = 500_000
_BINS_OF_A_BYTE = 256


def boost(
    train: SpooledRows,
    validation: SpooledRows,
    config: ForestConfig,
    outputs: Sequence[str],
    rounds: int,
    folder: Path,
    most_trees: int | None = None,
) -> tuple[xgb.Booster | None, TrainingCurve]:
    """Grows a tree per output in each round.

    Where the rows have log-odds, boosting starts from those. Then an output keeps no tree if none lowers its validation
    loss, if too few of its positives are held out to tell, or if it has none to learn from.

    Args:
        train: the rows to grow trees on.
        validation: the rows of held-out viewers, which decide when an output stops; there may be none.
        config: the forest's settings.
        outputs: names, one per label.
        rounds: the largest number of rounds.
        folder: for temporary files.
        most_trees: the largest number of trees to keep of all outputs together; None for no limit.

    Returns:
        The booster with the trees that are kept, None if there are none; and the losses by round.
    """
    *observed, rows = total(np.append(train.observed, train.rows).astype(np.float64))
    gaps, weighted = min(observed) < rows, _is_weighted(train)
    columns = complete_columns(train.spool, config) if rows >= _COMPLETE_FROM_ROWS else None
    train_matrix = _matrix(train, config, folder / "train-pages", None, weighted, columns)
    evals = [(train_matrix, "train")]
    callbacks: list[xgb.callback.TrainingCallback] = [_Progress(rounds)]
    stops = config.early_stopping_rounds > 0 and validation.rows > 0
    metric = None
    held_out = _of_rarer_class(validation)
    most = _most_rounds(train, held_out, config, stops)
    before: list[float] | None = None
    if validation.rows:
        validation_matrix = _matrix(validation, config, folder / "validation-pages", train_matrix, weighted, columns)
        evals.append((validation_matrix, "validation"))
        if stops:
            metric = losses_of(validation_matrix, margins=gaps)
            before = _losses_before(validation_matrix, len(outputs)) if train.spool.with_margins else None
            callbacks.append(StopEach(config.early_stopping_rounds, "validation", most, before))
            if not gaps:
                # XGBoost copies the predictions of every matrix in `evals` for a metric of ours.
                evals.remove((train_matrix, "train"))
                callbacks.insert(0, _TrainLoss(train_matrix))
    history: xgb.callback.TrainingCallback.EvalsLog = {}
    booster = xgb.train(
        {
            "objective": "binary:logistic",
            "multi_strategy": "one_output_per_tree",
            "tree_method": "hist",
            "max_depth": config.depth,
            "learning_rate": config.learning_rate,
            "max_bin": config.max_bin,
            "min_child_weight": config.min_child_weight,
            "subsample": config.subsample,
            "colsample_bytree": config.colsample,
            "device": config.device,
            "seed": config.seed,
            **({"disable_default_eval_metric": 1} if gaps else {"eval_metric": "logloss"}),
            **_starting_point(train, gaps),
        },
        train_matrix,
        num_boost_round=rounds,
        evals=evals,
        obj=masked_logistic if gaps else None,
        custom_metric=together(mean_log_loss, metric) if gaps else metric,
        evals_result=history,
        verbose_eval=False,
        callbacks=callbacks,
    )
    if columns:
        booster = columns.in_features(booster)
    grown = booster.num_boosted_rounds()
    if stops:
        kept = best_rounds(history, "validation", most, before)
    else:
        kept = [grown if limit is None else limit for limit in most]
    if most_trees is not None:
        kept = within(kept, most_trees)
    curve = TrainingCurve(
        train=tuple(history["train"]["logloss"]),
        validation=tuple(history["validation"]["logloss"]) if validation.rows else (),
        kept_rounds=max(kept),
        output_rounds=dict(zip(outputs, kept, strict=True)),
        limited={
            output: LimitedOutput(rarer, limit)
            for output, rarer, limit in zip(outputs, held_out, most, strict=True)
            if limit is not None and limit < rounds
        },
    )
    if not any(kept):
        return None, curve
    return booster if kept == [grown] * len(outputs) else keep_rounds(booster, kept), curve


def _of_rarer_class(rows: SpooledRows) -> list[int]:
    """Rows of all workers with each output's rarer class, which is mostly the positives."""
    counts = total(np.append(rows.observed, rows.positives)).astype(np.int64).reshape(2, -1)
    return [min(int(positives), int(observed - positives)) for observed, positives in counts.T]


def _most_rounds(train: SpooledRows, held_out: list[int], config: ForestConfig, stops: bool) -> list[int | None]:
    """The largest number of rounds of each output, None for no limit.

    Args:
        train: the rows to grow trees on.
        held_out: rows of the held-out viewers with each output's rarer class.
        config: the forest's settings.
        stops: whether outputs are stopped early.
    """
    if not train.spool.with_margins:
        return most_rounds(held_out, config.learning_rate) if stops else [None] * len(held_out)
    least = MIN_HELD_OUT_POSITIVES if stops else 0
    return [
        0 if not to_learn_from or to_tell < least else None
        for to_learn_from, to_tell in zip(_of_rarer_class(train), held_out, strict=True)
    ]


def _is_weighted(rows: SpooledRows) -> bool:
    """Whether the rows of any worker differ in weight."""
    return bool(total(np.array([rows.weights_differ], np.float64))[0])


def _starting_point(train: SpooledRows, gaps: bool) -> dict[str, list[float]]:
    """XGBoost's parameter for what boosting starts from, where it is not XGBoost's choice, the weighted base rates."""
    if train.spool.with_margins:
        return {"base_score": [0.5] * len(train.observed)}  # log-odds of 0, as each row brings its own
    if gaps:  # the weighted share of positives among the observed labels of all workers
        positives, observed = total(train.label_weights.reshape(-1)).reshape(2, -1)
        return {"base_score": (positives / observed).tolist()}
    return {}


def _losses_before(matrix: xgb.DMatrix, outputs: int) -> list[float]:
    """The log loss per output of the log-odds that boosting starts from."""
    margins = matrix.get_base_margin().astype(np.float64).reshape(matrix.num_row(), outputs)
    losses: list[float] = log_losses(1.0 / (1.0 + np.exp(-margins)), matrix).tolist()
    return losses


def complete_columns(spool: Spool, config: ForestConfig) -> CompleteColumns | None:
    """The matrix's columns without missing values, which are the same for all workers; None if it has them as they are.

    That is so if there are none, if a bin does not fit into one byte, and on a GPU. What they would save there was not
    measured: XGBoost bins NumPy batches in the CPU's memory, and packs the bins for the GPU afterwards.

    XGBoost holds complete columns twice, by row and by column. So they need less memory only while they are fewer than
    twice the features.
    """
    missing = np.flatnonzero(total(spool.missing.astype(np.float64)))
    if not len(missing) or config.max_bin > _BINS_OF_A_BYTE or config.device != "cpu":
        return None
    columns = CompleteColumns(len(spool.missing), tuple(missing.tolist()))
    return columns if columns.width < 2 * columns.features else None


def _matrix(
    spool: SpooledRows,
    config: ForestConfig,
    pages: Path,
    reference: xgb.DMatrix | None,
    weighted: bool,
    columns: CompleteColumns | None,
) -> xgb.QuantileDMatrix | xgb.ExtMemQuantileDMatrix:
    if config.external_memory:
        # Complete columns are made of a page's rows, and need memory beside them.
        page_rows = _PAGE_ROWS if columns is None else _PAGE_ROWS * columns.features // columns.width
        rows = SpoolIter(spool, page_rows, cache_prefix=str(pages), weighted=weighted, columns=columns)
        return xgb.ExtMemQuantileDMatrix(rows, max_bin=config.max_bin, ref=reference)
    rows = SpoolIter(spool, BATCH_ROWS, weighted=weighted, columns=columns)
    return xgb.QuantileDMatrix(rows, max_bin=config.max_bin, ref=reference)


class _TrainLoss(xgb.callback.TrainingCallback):
    """Records XGBoost's own log loss of the training rows, as if they were among its `evals`."""

    def __init__(self, matrix: xgb.DMatrix) -> None:
        super().__init__()
        self._matrix = matrix

    def after_iteration(
        self, model: xgb.Booster, epoch: int, evals_log: xgb.callback.TrainingCallback.EvalsLog
    ) -> bool:
        """Records; never stops the training."""
        name, loss = model.eval(self._matrix, "train", epoch).rsplit(":", 1)
        assert name.endswith("train-logloss"), f"XGBoost evaluates {name}, not the log loss"
        losses = evals_log.setdefault("train", {}).setdefault("logloss", [])
        assert isinstance(losses, list)
        losses.append(float(loss))
        return False


class _Progress(xgb.callback.TrainingCallback):
    """Reports each round and its latest loss."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self._reporter = ProgressReporter("growing the forest", rounds)

    def after_iteration(
        self, model: xgb.Booster, epoch: int, evals_log: xgb.callback.TrainingCallback.EvalsLog
    ) -> bool:
        """Reports; never stops the training."""
        losses = ", ".join(f"{rows} log loss {values['logloss'][-1]:.5f}" for rows, values in sorted(evals_log.items()))
        self._reporter.update(epoch + 1, losses)
        return False
