"""Columns that are too good to be true: an outcome in disguise, such as what a viewer spent as a feature of a purchase.

A model that reads such a column is almost perfect on the held-out day and worthless for tomorrow's candidates, whose
outcomes are not known. No metric of the model shows that, so every column is looked at alone.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ranker.config.columns import NO_FEATURES
from ranker.documents import Number
from ranker.evaluation.column_power import ColumnPower, Outcomes, column_powers
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.shown_numbers import shown_interval
from ranker.evaluation.summary import ObjectiveMetrics
from ranker.evaluation.verdict import Verdict

METRIC = "leak"
"""The metric of the verdicts on such columns."""

Sign = Literal["alone", "sure", "forest"]

MOST_AUC = 0.9
"""The largest AUC that is plausible for one column known before the session is ranked.

The strongest columns of the feeds that the project knows reach 0.76, those of KuaiRand among them. An outcome in which
one row in ten is wrong reaches 0.9.
"""

MOST_SURE = 0.8
"""The largest share of the rarer outcome that is plausible where a column makes it more likely."""

MOST_FOREST_AUC = 0.98
"""The largest AUC that is plausible for the forest; beyond it, columns may tell the outcome only together."""

_LEAST_ODDS_RATIO = 10.0  # of that share to the base rate; a frequent outcome is likely anyway
_LEAST_SHARE = 0.02  # of the rarer outcome that has to be there; a smaller part hardly changes a model
_LEAST_GAIN = 0.25  # of the forest's gain; a column with less is not named


@dataclass(frozen=True)
class Leak:
    """A column that tells an objective's outcome.

    Attributes:
        column: its name.
        objective: the objective.
        sign: what shows it. `alone`: the column by itself has an AUC that is too large. `sure`: where the column has
            certain values, the rarer outcome is almost certain. `forest`: no column does either, but the forest alone
            has an AUC that is too large, and the column has a large share of its gain.
        positives: impressions with the rarer outcome that it was measured on.
        value: the AUC, or the share of the rarer outcome where it is almost certain.
        lower: lower end of its 95 % interval.
        upper: upper end.
        limit: the largest plausible value.
        share: with `sure`, the part of the impressions with the rarer outcome that is there; with `forest`, the share
            of the gain; else 1.
        new: whether no model that serves reads the column.
        vouched: whether the config vouches for it.
    """

    column: str
    objective: str
    sign: Sign
    positives: int
    value: Number
    lower: Number
    upper: Number
    limit: float
    share: Number = 1.0
    new: bool = True
    vouched: bool = False

    @property
    def refuses(self) -> bool:
        """Whether the column blocks the model."""
        return self.new and not self.vouched

    @property
    def finding(self) -> str:
        """What the column does, as a sentence without its full stop."""
        shown = shown_interval(Estimate(self.value, self.lower, self.upper))
        if self.sign == "alone":
            return f"the column {self.column} alone has an AUC of {shown}, which no column known before the ranking has"
        if self.sign == "forest":
            return (
                f"the forest alone has an AUC of {shown}, which no columns known before the ranking give, and "
                f"{100.0 * self.share:.0f} % of its gain is from the column {self.column}"
            )
        return (
            f"certain values of the column {self.column} make the outcome almost certain: its share is {shown} there, "
            f"with {100.0 * self.share:.0f} % of all such impressions"
        )

    @property
    def consequence(self) -> str:
        """What follows from it, as a sentence without its full stop."""
        if self.vouched:
            return "features.vouched vouches for it"
        if not self.new:
            return "it may hold the outcome itself; the model serving before reads it too, so it blocks nothing"
        return (
            "it may hold the outcome itself, so nothing is pushed; remove it from the features or, if it is known "
            f'before a session is ranked, vouch for it with features.vouched=("{self.column}",)'
        )

    @property
    def verdict(self) -> Verdict:
        """The same as the verdict of a gate."""
        return Verdict(
            objective=self.objective,
            slice="",
            metric=METRIC,
            value=self.value,
            lower=self.lower,
            upper=self.upper,
            limit=(None, self.limit),
            outcome="failed",
            blocking=self.refuses,
            text=f"{self.objective}: {self.finding}; {self.consequence}",
        )


def find_leaks(
    columns: Iterable[tuple[str, npt.NDArray[np.float32]]],
    outcomes: Outcomes,
    objectives: Sequence[str],
    served: Collection[str] = (),
    vouched: Collection[str] = (),
) -> tuple[Leak, ...]:
    """The columns that tell an outcome, in the order of the columns.

    The entire interval has to be beyond what is plausible, so few impressions raise no alarm.

    Args:
        columns: name and values float32 [rows, inputs] of each column, as the models read them; NaN where missing.
        outcomes: of the same rows.
        objectives: their names, in the order of the labels.
        served: the columns that the model that serves reads.
        vouched: the columns that the config vouches for.

    Example:
        >>> bought = np.random.default_rng(1).random(5000) < 0.1
        >>> spend = np.where(bought, 20.0, 0.0).astype(np.float32)[:, None]
        >>> outcomes = Outcomes(bought[:, None], np.arange(5000))
        >>> [leak.column for leak in find_leaks([("spend", spend)], outcomes, ["purchase"])]
        ['spend']
    """
    return tuple(
        leak
        for column, values in columns
        for objective, power in zip(objectives, column_powers(values, outcomes), strict=True)
        for leak in _leaks(column, objective, power, column not in served, column in vouched)
    )


def find_leaks_of_forest(
    forest: Mapping[str, ObjectiveMetrics],
    gains: Mapping[str, Mapping[str, float]],
    found: Collection[Leak],
    served: Collection[str] = (),
    vouched: Collection[str] = (),
) -> tuple[Leak, ...]:
    """The columns that the forest mostly uses where it is too good to be true and no column alone shows why.

    Args:
        forest: the metrics of the forest alone, by objective.
        gains: each column's share of the forest's gain, by objective.
        found: what `find_leaks` found; their objectives are left out.
        served: the columns that the model that serves reads.
        vouched: the columns that the config vouches for.
    """
    explained = {leak.objective for leak in found}
    return tuple(
        Leak(
            column=column,
            objective=objective,
            sign="forest",
            positives=min(metrics.positives, metrics.impressions - metrics.positives),
            value=metrics.auc.value,
            lower=metrics.auc.lower,
            upper=metrics.auc.upper,
            limit=MOST_FOREST_AUC,
            share=share,
            new=column not in served,
            vouched=column in vouched,
        )
        for objective, metrics in forest.items()
        if objective not in explained and metrics.auc.lower > MOST_FOREST_AUC
        for column, share in sorted(gains.get(objective, {}).items(), key=lambda item: -item[1])
        if share >= _LEAST_GAIN
    )


def _leaks(column: str, objective: str, power: ColumnPower, new: bool, vouched: bool) -> Iterator[Leak]:
    if power.auc.lower > MOST_AUC:
        yield _leak(column, objective, "alone", power, power.auc, MOST_AUC, 1.0, new, vouched)
    elif (
        power.sure.lower > MOST_SURE
        and power.sure_share >= _LEAST_SHARE
        and _odds(power.sure.lower) >= _LEAST_ODDS_RATIO * _odds(power.rate)
    ):
        yield _leak(column, objective, "sure", power, power.sure, MOST_SURE, power.sure_share, new, vouched)


def _leak(
    column: str,
    objective: str,
    sign: Sign,
    power: ColumnPower,
    estimate: Estimate,
    limit: float,
    share: float,
    new: bool,
    vouched: bool,
) -> Leak:
    return Leak(
        column=column,
        objective=objective,
        sign=sign,
        positives=power.positives,
        value=estimate.value,
        lower=estimate.lower,
        upper=estimate.upper,
        limit=limit,
        share=share,
        new=new,
        vouched=vouched,
    )


def _odds(share: float) -> float:
    return share / (1.0 - share) if share < 1.0 else float("inf")


def served_columns(config: Mapping[str, Any]) -> frozenset[str]:
    """The feature columns that a pushed model reads, by the config parts in its manifest.

    Args:
        config: `Manifest.config`; empty for a model without a manifest, of which nothing is known.
    """
    features = config.get("features", {})
    columns = (column for field in features.keys() - set(NO_FEATURES) for column in features[field])
    return frozenset(column if isinstance(column, str) else column["name"] for column in columns)
