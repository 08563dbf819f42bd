"""The Python API's model: scores, rankings, explanations and an evaluation for tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa

from ranker.config.gates import Gates
from ranker.evaluation.evaluation import Evaluation
from ranker.feed_log.columns import check_names
from ranker.registry.layout import SAVED_MODEL
from ranker.registry.manifest import Manifest
from ranker.scoring.evaluating import evaluate_tables
from ranker.scoring.explaining import explain_tables
from ranker.scoring.loading import LoadedModel, load_model
from ranker.scoring.ranking import places, trade_off
from ranker.scoring.results import RANK, check_kept, free_name, scored_columns, utility_of
from ranker.scoring.scorer import Floats, Scores
from ranker.scoring.tables import TABLE, column_names, like, to_arrow
from ranker.storage import copy_folder, exists
from ranker.towers.history import TrainingHistory

if TYPE_CHECKING:
    from ranker.scoring.tables import AnyTable

T = TypeVar("T", bound="AnyTable")


class Model:
    """A trained model, as `ranker.load` and `ranker.train` return it.

    Tables are `pyarrow.Table`, `pyarrow.RecordBatch` or `pandas.DataFrame`, and results are of the same kind. A table
    needs the model's feature columns, in the types that a feed log may have; other columns are ignored. Exposure
    columns are read where the table has them, which matters only for a model with an exposure model.

    Attributes:
        location: the folder of the model, a path or URI.
        history: of the training, for a model of `ranker.train`; otherwise None.

    Example:
        >>> model = ranker.load("workdir/feed/serving_model")
        >>> candidates = pd.read_parquet("candidates.parquet")
        >>> model.score(candidates)[["item_id", "click", "like"]]
        >>> model.rank(candidates, alpha=0.3).head(10)
    """

    def __init__(self, loaded: LoadedModel, history: TrainingHistory | None = None) -> None:
        self._loaded = loaded
        self._scorer = loaded.scorer
        self._description = loaded.description
        self.history = history

    @property
    def location(self) -> str:
        """The folder of the model, a path or URI."""
        return self._loaded.location

    @property
    def manifest(self) -> Manifest:
        """What the model was trained on: days, rows, base rates and config."""
        return self._description.manifest

    @property
    def objectives(self) -> tuple[str, ...]:
        """The objectives that it predicts, in the order of the config."""
        return self._description.objective_names

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features, as in an explanation."""
        return self._description.features.names

    @property
    def columns(self) -> tuple[str, ...]:
        """The column of a table for each feature: its name, or what `column=` of the config says.

        A table needs all of them but those of ids.
        """
        return tuple(column.source for column in self._description.features.columns)

    @property
    def ids(self) -> tuple[str, ...]:
        """The id columns of random effects that are no features; a table may have them."""
        features = self._description.features.names
        return tuple(name for name in self._description.ids if name not in features)

    def score(self, table: T, keep: Sequence[str] | None = None) -> T:
        """The probability of each objective, row for row.

        Args:
            table: [rows].
            keep: columns of the table that the result has too; None keeps those keys of an impression that it has.

        Returns:
            [rows], in the table's order: the kept columns, `score` (the utility, by which `rank` orders) and a column
            per objective. A data frame's index is kept.

        Raises:
            FeedLogError: a column is missing, has a wrong type, or has a value that it may not hold; the model cannot
                score a row; or `keep` names a column twice, or one with the name of an objective.
        """
        kept = self._columns_to_keep(table, keep, self.objectives)
        read = self._read(table, kept)
        scores = self._scorer.table(read, TABLE)
        utility = utility_of(scores, self._description.objectives, self._description.utility)
        return like(self._scored(read, kept, scores, utility), table)

    def rank(
        self,
        table: T,
        session: str | None = None,
        alpha: float | None = None,
        lambda_: float | None = None,
        weights: Mapping[str, float] = MappingProxyType({}),
        keep: Sequence[str] | None = None,
    ) -> T:
        """The rows of each session, best first.

        Args:
            table: [rows], candidates of one session or of several.
            session: the column with the session id; None uses the session key of the config where the table has
                it, and otherwise all rows are candidates of one session.
            alpha: weight of passive consumption, from 0 to 1; None uses that of the config. Likewise `lambda_`, the
                weight of the other objectives.
            weights: objective → its weight, which replaces that of the config and must have its sign.
            keep: as in `score`.

        Returns:
            [rows]: the kept columns, `rank` (from 1 in each session), `score` and a column per objective. Sessions
            are in the order of their first row, rows of a session by descending score; ties keep their order.

        Raises:
            FeedLogError: as in `score`, or there is no column `session`.
            ValueError: `alpha`, `lambda_` or a weight is out of range, or an objective is unknown.

        Example:
            >>> best = model.rank(candidates, alpha=0.3, weights={"comment": 8.0})
            >>> best[best["rank"] <= 10]
        """
        objectives, trade = trade_off(self._description, alpha, lambda_, weights)
        by = session or self._description.keys.session
        one_session = session is None and by not in column_names(table)
        kept = self._columns_to_keep(table, keep, self.objectives)
        read = self._read(table, kept if one_session else [*kept, by])
        scores = self._scorer.table(read, TABLE)
        utility = utility_of(scores, objectives, trade)
        order, place = places(utility, None if one_session else read.column(by))
        ordered = self._scored(read, kept, scores, utility).take(pa.array(order))
        rank = free_name(RANK, ordered.schema.names)
        return like(ordered.add_column(len(kept), rank, [pa.array(place, pa.int32())]), table, order.tolist())

    def explain(self, table: T, keep: Sequence[str] | None = None) -> T:
        """Why a score: what each feature column, and each id of random effects, adds to the log-odds of each objective.

        The forest's part are TreeSHAP values, the towers' part integrated gradients, each with its weight in the model;
        `ranker.explanation` says how. A random effect is what it adds by itself. `baseline` is the log-odds of an
        average impression, the same for all rows, and `baseline` plus all contributions is `log_odds`. Exposure is left
        out: the log-odds are those that rankings use.

        Args:
            table: [rows]. It takes some milliseconds per row, so explain those that matter.
            keep: as in `score`.

        Returns:
            [rows × objectives], the objectives of a row one after the other: the kept columns, `objective`,
            `log_odds`, `baseline`, and a float64 column per feature column and per column of `ids`. A name that is
            taken by a kept column gets an underscore. A data frame's index is kept.

        Raises:
            FeedLogError: as in `score`.
            ModelError: the model has no training state, or one of another version of this project.

        Example:
            >>> why = model.explain(candidates.head(1)).set_index("objective")
            >>> why.loc["click", list(model.features)].sort_values(key=abs).tail(5)
        """
        kept = self._columns_to_keep(table, keep)
        read = self._read(table, kept)
        result = explain_tables(self._loaded, [(TABLE, read)], kept)
        rows = np.repeat(np.arange(read.num_rows), len(self.objectives))
        return like(result, table, rows.tolist())

    def evaluate(
        self,
        table: "AnyTable",
        baseline: "Model | None" = None,
        slices: Sequence[Sequence[str]] = (),
        gates: Gates | None = None,
    ) -> Evaluation:
        """The model's metrics on impressions with known outcomes, by the code of the pipeline's Evaluator.

        Args:
            table: [rows], impressions with the 0/1 columns of the objectives, and session and viewer.
            baseline: another model to compare with on the same rows, in pairs.
            slices: columns whose values are evaluated by themselves; several together are a cross.
            gates: limits to judge the model by; None judges nothing.

        Returns:
            AUC, O/E, normalized entropy and session metrics with intervals, per objective and slice.

        Raises:
            FeedLogError: as in `score`, or a label that is not 0 or 1.
            ValueError: the table has no rows, or the baseline predicts none of the objectives.

        Example:
            >>> evaluation = model.evaluate(day, baseline=ranker.load("v1"), slices=[("device",)])
            >>> evaluation.objectives["click"].candidate.auc.lower
            >>> print(evaluation)
        """
        return evaluate_tables(self._loaded, [table], baseline._loaded if baseline is not None else None, slices, gates)

    def save(self, folder: str | Path) -> str:
        """Copies the model into a new folder, a path or URI, which `ranker.load` and TensorFlow Serving read.

        Raises:
            FileExistsError: there is something already.
        """
        if exists(folder):
            raise FileExistsError(f"{folder} is already there")
        copy_folder(self._loaded.folder, folder, last=SAVED_MODEL)
        return str(folder)

    def __repr__(self) -> str:
        manifest = self.manifest
        return (
            f"Model({self.location!r}: {', '.join(self.objectives)}; trained on {manifest.rows:,} impressions before "
            f"{manifest.eval_day})"
        )

    def _scored(self, read: pa.Table, kept: Sequence[str], scores: Scores, utility: Floats) -> pa.Table:
        columns = [(read.schema.field(name), read.column(name)) for name in kept]
        return scored_columns(columns, scores, self.objectives, utility)

    def _columns_to_keep(
        self, table: "AnyTable", keep: Sequence[str] | None, objectives: Sequence[str] = ()
    ) -> list[str]:
        names = set(column_names(table))
        kept = list(keep) if keep is not None else [name for name in self._description.key_names if name in names]
        check_kept(TABLE, kept, objectives)
        return kept

    def _read(self, table: "AnyTable", further: Sequence[str]) -> pa.Table:
        """The columns that the model reads and some further ones, in Arrow."""
        columns = self._scorer.columns_in(column_names(table))
        read = to_arrow(table, dict.fromkeys((*further, *(column.source for column in columns))))
        check_names(TABLE, read.schema, further)
        return read


def load(location: str | Path) -> Model:
    """Loads a model.

    Args:
        location: the folder of a version of a pushed model, or a push destination, whose newest version is loaded; a
            path, or a URI such as `s3://bucket/models/feed`.

    Raises:
        ModelError: it is no model of this project, or it is incomplete or damaged.

    Example:
        >>> ranker.load("workdir/feed/serving_model").objectives
        ('click', 'long_dwell', 'like', 'comment', 'reshare', 'creator_reply')
    """
    return Model(load_model(location))
