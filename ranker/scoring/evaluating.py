"""Evaluates a model on tables whose rows have the outcomes."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ranker.config.gates import Gates
from ranker.evaluation.accumulator import Accumulator
from ranker.evaluation.baseline import Baseline
from ranker.evaluation.batch_columns import read_labels, read_strings
from ranker.evaluation.buckets import viewer_groups
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.gates import judge
from ranker.evaluation.session_rows import session_hashes
from ranker.evaluation.session_sums import UtilityWeights
from ranker.evaluation.sessions import Sessions
from ranker.evaluation.summary import BASELINE, CANDIDATE, summarize
from ranker.features.categorical import CategoricalKind
from ranker.features.keys_and_labels import IdKind, ObjectiveKind
from ranker.features.log_column import LogColumn
from ranker.feed_log.columns import check_names, check_schema
from ranker.feed_log.reading import LocatedRows, as_lists
from ranker.feed_log.row_filter import check_filter, kept_rows
from ranker.scoring.loading import LoadedModel
from ranker.scoring.tables import TABLE, column_names, to_arrow

if TYPE_CHECKING:
    from ranker.scoring.tables import AnyTable


def evaluate_tables(
    model: LoadedModel,
    tables: "Iterable[AnyTable | LocatedRows]",
    baseline: LoadedModel | None = None,
    slices: Sequence[Sequence[str]] = (),
    gates: Gates | None = None,
) -> Evaluation:
    """The evaluation of a model on the rows of all tables, one of which is in memory at a time.

    Args:
        model: the candidate.
        tables: impressions with features, outcomes, session and viewer. Messages name the file of located rows, and
            their numbers in it.
        baseline: a model to compare with.
        slices: columns whose values are evaluated by themselves.
        gates: limits to judge by; None judges nothing, and gives the intervals a confidence of 95 %.

    Raises:
        FeedLogError: a column is missing, has a wrong type, or has a value that it may not hold.
        ValueError: there are no rows, or the baseline predicts none of the objectives.
    """
    candidate = model.description
    names = candidate.objective_names
    compared: tuple[str, ...] = ()
    if baseline is not None:
        compared = tuple(name for name in names if name in baseline.description.objective_names)
        if not compared:
            raise ValueError(
                f"{baseline.location} predicts {', '.join(baseline.description.objective_names)} and none of "
                f"{', '.join(names)}"
            )
    accumulator = accumulated(model, tables, baseline, slices)
    confidence = (gates or Gates()).confidence
    measured = list(summarize(accumulator, confidence, compared))
    verdicts = judge(measured, gates, first=baseline is None) if gates is not None else []
    lacks = tuple(name for name in names if name not in compared) if baseline is not None else ()
    return Evaluation.of(
        measured,
        verdicts,
        Baseline(baseline.location, lacks=lacks) if baseline is not None else Baseline(),
        confidence,
        Sessions.of(accumulator),
        accumulator.index.too_many,
    )


def accumulated(
    model: LoadedModel,
    tables: "Iterable[AnyTable | LocatedRows]",
    baseline: LoadedModel | None = None,
    slices: Sequence[Sequence[str]] = (),
) -> Accumulator:
    """The sums that metrics are computed from; arguments and errors are those of `evaluate_tables`."""
    specs = tuple(tuple(spec) for spec in slices)
    models = (CANDIDATE, BASELINE) if baseline is not None else (CANDIDATE,)
    accumulator = Accumulator(models, UtilityWeights.of(model.description.utility, model.description.objectives), specs)
    for table in tables:
        if isinstance(table, LocatedRows):
            _add(accumulator, model, baseline, table.rows, table.path, table.numbers)
        else:
            _add(accumulator, model, baseline, table, TABLE, np.arange(len(table)))
    if not accumulator.impressions:
        raise ValueError(f"{TABLE} has no rows to evaluate")
    if accumulator.invalid[0].any():
        raise ValueError(f"{model.location}: it predicted values that are not probabilities")
    return accumulator


def _add(
    accumulator: Accumulator,
    model: LoadedModel,
    baseline: LoadedModel | None,
    table: "AnyTable",
    where: str,
    numbers: NDArray[np.int64],
) -> None:
    description = model.description
    columns = {column for spec in accumulator.index.specs for column in spec}
    keys, by_name = description.keys, {column.name: column for column in description.feature_columns}
    # A column may be a key, a slice and a feature at the same time.
    known = [
        *(LogColumn(one.name, ObjectiveKind.name, column=one.column) for one in description.objectives),
        *(
            LogColumn(f"key {column}", IdKind.name, column=column)
            for column in dict.fromkeys((keys.viewer, keys.session))
        ),
        *(
            LogColumn(f"slice {name}", CategoricalKind.name, column=by_name[name].source if name in by_name else name)
            for name in sorted(columns)
        ),
    ]
    loaded = [model] if baseline is None else [model, baseline]
    there = column_names(table)
    row_filter, conditions = description.rows.where, description.rows.columns
    wanted = [column.source for one in loaded for column in one.scorer.columns_in(there)]
    read = to_arrow(table, dict.fromkeys((*(column.source for column in known), *wanted, *conditions)), where)
    check_schema(where, read.schema, known)
    if row_filter:
        check_names(where, read.schema, conditions)
        check_filter(where, row_filter, read.schema)
        kept = kept_rows(_batch(read), row_filter)
        read, numbers = read.take(pa.array(kept)), numbers[kept]
    scores = [one.scorer.table(read, where, numbers) for one in loaded]
    if not read.num_rows:
        return
    batch = _batch(read)
    lists = as_lists(where, numbers, known, batch)
    labels = read_labels(lists, description.objective_names)
    predictions = np.full((len(loaded), len(description.objectives), read.num_rows), np.nan)
    for m, one in enumerate(loaded):
        theirs = one.description.objective_names
        for o, name in enumerate(description.objective_names):
            if name in theirs:
                predictions[m, o] = scores[m].probabilities[theirs.index(name)]
    accumulator.add(
        labels,
        predictions,
        viewer_groups(read_strings(lists, f"key {keys.viewer}")),
        session_hashes(read_strings(lists, f"key {keys.session}")),
        {name: read_strings(lists, f"slice {name}") for name in columns},
        np.stack([score.examination.astype(np.float64) for score in scores]),
    )


def _batch(table: pa.Table) -> pa.RecordBatch:
    """The rows as one batch."""
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
