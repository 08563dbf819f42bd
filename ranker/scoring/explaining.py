"""Explains the rows of tables, and lays the contributions out as a table."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from ranker.explanation.explainer import Contributions, Explainer
from ranker.explanation.towers import with_rest
from ranker.export.loading import LOAD_ERRORS, load_problem
from ranker.features.log_column import LogColumn
from ranker.feed_log.reading import place_of
from ranker.scoring.calling import errors_of
from ranker.scoring.description import ModelError
from ranker.scoring.loading import LoadedModel
from ranker.scoring.results import free_name
from ranker.scoring.scorer import Scores

_ROWS = 256
_MOST_DIFFERENCE = 1e-3
"""Largest difference of the log-odds of the training state from those of the served graph, where these are moderate."""

_MOST_ROUNDED = 0.1
"""The same where the graph multiplies the leaf vectors in bfloat16."""

OBJECTIVE, LOG_ODDS, BASELINE = "objective", "log_odds", "baseline"


def explain_tables(model: LoadedModel, tables: Sequence[tuple[str, pa.Table]], keep: Sequence[str]) -> pa.Table:
    """Explains the rows of tables, one table after the other; see `Model.explain`.

    Args:
        model: the model.
        tables: what messages call each table, such as its file, and the table; of the same columns.
        keep: columns of the tables that the result has too.

    Raises:
        FeedLogError, ModelError: as `explained_rows`.
    """
    found = explained_rows(model, tables)
    rows = pa.concat_tables([table for _, table in tables])
    kept = [(rows.schema.field(name), rows.column(name)) for name in keep]
    return explanation_table(kept, found, model.description.objective_names)


def explained_rows(model: LoadedModel, tables: Sequence[tuple[str, pa.Table]]) -> Contributions:
    """The contributions for the rows of tables, each of which has a name for messages.

    Raises:
        FeedLogError: a column is missing, has a wrong type, or has a value that it may not hold; or the model cannot
            score a row.
        ModelError: the model has no training state, or one that does not belong to the graph that is served.
    """
    columns = [model.scorer.check(where, table.schema) for where, table in tables]
    try:
        explainer = Explainer(str(model.folder), model.description.manifest)
    except (*LOAD_ERRORS, ValidationError) as error:
        raise ModelError(f"{model.location}: it cannot be explained: {load_problem(error)}") from error
    parts = [
        part
        for (where, table), read in zip(tables, columns, strict=True)
        for part in _parts(model, explainer, where, table, read)
    ]
    objectives = len(model.description.objectives)
    none = Contributions(
        explainer.columns,
        np.zeros(objectives),
        np.zeros((0, objectives, len(explainer.columns))),
        np.zeros((0, objectives)),
    )
    return Contributions(
        explainer.columns,
        parts[0].baseline if parts else none.baseline,
        np.concatenate([none.values, *(part.values for part in parts)]),
        np.concatenate([none.log_odds, *(part.log_odds for part in parts)]),
    )


def _parts(
    model: LoadedModel, explainer: Explainer, where: str, table: pa.Table, columns: Sequence[LogColumn]
) -> Iterator[Contributions]:
    """The contributions for the rows of a table, batch by batch."""
    done = 0
    for batch in table.to_batches(_ROWS):
        if not batch.num_rows:
            continue
        examples = model.scorer.examples(batch, columns, where, done)
        with errors_of(place_of(where, done, batch.num_rows)):
            scores = model.scorer.of_examples(examples)
            part = explainer(examples)
        yield _as_served(part, scores, model)
        done += batch.num_rows


def _as_served(part: Contributions, scores: Scores, model: LoadedModel) -> Contributions:
    """The contributions to the log-odds of the served graph, which are those of the training state but for rounding."""
    config = model.description.manifest.config
    relevance = np.clip(scores.relevance.T.astype(np.float64), 1e-7, 1.0 - 1e-7)
    served = np.log(relevance) - np.log1p(-relevance)
    if "examination" in config:
        # The shift of a forest's log-odds by an exposure model is not stored; it is the same for all rows.
        shift = np.median(served - part.log_odds, axis=0)
        part = replace(part, baseline=part.baseline + shift, log_odds=part.log_odds + shift)
    # A probability near 0 or 1 is too coarse to tell its log-odds.
    missing = np.where((relevance > 1e-4) & (relevance < 1.0 - 1e-4), served - part.log_odds, 0.0)
    rounded = config["serving"].get("leaf_table") == "bfloat16"
    if np.abs(missing).max() > (_MOST_ROUNDED if rounded else _MOST_DIFFERENCE):
        raise ModelError(f"{model.location}: it cannot be explained: its training state is that of another model")
    if rounded:
        part = replace(part, values=with_rest(part.values, missing), log_odds=part.log_odds + missing)
    return part


def explanation_table(
    kept: Sequence[tuple[pa.Field, pa.ChunkedArray]], found: Contributions, objectives: Sequence[str]
) -> pa.Table:
    """A row per row and objective; see `Model.explain`. A name that is taken gets an underscore."""
    rows = len(found.log_odds)
    taken = {*(field.name for field, _ in kept), *found.columns}
    again = pa.array(np.repeat(np.arange(rows), len(objectives)))
    columns: dict[str, pa.Array | pa.ChunkedArray] = {field.name: values.take(again) for field, values in kept}
    columns[free_name(OBJECTIVE, taken)] = pa.array(list(objectives) * rows, pa.string())
    columns[free_name(LOG_ODDS, taken)] = pa.array(found.log_odds.ravel())
    columns[free_name(BASELINE, taken)] = pa.array(np.tile(found.baseline, rows))
    for i, name in enumerate(found.columns):
        # A kept column may be a feature, too; then it is its value that is kept.
        columns[free_name(name, columns)] = pa.array(found.values[:, :, i].ravel())
    return pa.table(columns)
