"""Explains a few impressions of a day: for each objective the highest, a typical and the most wrong one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ranker.evaluation.shown_numbers import shown_number

if TYPE_CHECKING:
    from ranker.explanation.explainer import Explainer

HIGHEST, TYPICAL, MOST_WRONG = "highest", "typical", "most wrong"
KINDS = (HIGHEST, TYPICAL, MOST_WRONG)

MOST_ROWS = 1_024
"""Impressions that the few are chosen among; more would cost time at every run."""

MOST_OBJECTIVES = 8
"""Objectives with explained impressions."""

_LONGEST_LIST = 3  # values of a list that are shown


@dataclass(frozen=True)
class ExplainedImpression:
    """What the model says of an impression, and why.

    Attributes:
        kind: why it was chosen: the highest probability, the median one, or the outcome that was least expected.
        outcome: what happened; None if it was not observed.
        baseline: the log-odds of an average impression.
        contributions: column → what it adds to the log-odds.
        values: column → its value, as text; of an id only whether it is known, as pages hold no ids.
    """

    kind: str
    outcome: bool | None
    baseline: float
    contributions: Mapping[str, float]
    values: Mapping[str, str]

    @property
    def log_odds(self) -> float:
        """Baseline and contributions together."""
        return self.baseline + sum(self.contributions.values())

    @property
    def probability(self) -> float:
        """The probability with these log-odds."""
        return float(1.0 / (1.0 + np.exp(-self.log_odds)))


def explain_impressions(
    explainer: "Explainer", examples: Sequence[bytes], objectives: Sequence[str]
) -> dict[str, tuple[ExplainedImpression, ...]]:
    """Chooses and explains impressions; at most `3 * MOST_OBJECTIVES`, among the first `MOST_ROWS`.

    Args:
        explainer: of the model.
        examples: serialised tf.Examples with the outcomes.
        objectives: all of the model, in its order.

    Returns:
        Objective → its impressions, in the order of `KINDS`; see `choose`.
    """
    import pyarrow as pa
    import tensorflow as tf

    sample = list(examples[:MOST_ROWS])
    if not sample:
        return {}
    parsed = [tf.train.Example.FromString(example).features.feature for example in sample]
    outcomes = np.array([[_outcome(features[name]) for name in objectives] for features in parsed])
    log_odds = explainer.log_odds(pa.array(sample, pa.binary()))
    chosen = {
        name: choose(log_odds[:, index], outcomes[:, index]) for index, name in enumerate(objectives[:MOST_OBJECTIVES])
    }
    rows = sorted({row for of in chosen.values() for row in of.values()})
    found = explainer(pa.array([sample[row] for row in rows], pa.binary()))
    explained: dict[str, tuple[ExplainedImpression, ...]] = {}
    for index, (name, of) in enumerate(chosen.items()):
        explained[name] = tuple(
            ExplainedImpression(
                kind,
                None if np.isnan(outcomes[row, index]) else bool(outcomes[row, index]),
                float(found.baseline[index]),
                dict(zip(found.columns, found.values[rows.index(row), index].tolist(), strict=True)),
                {column: _text(parsed[row][column], column in explainer.id_columns) for column in found.columns},
            )
            for kind, row in of.items()
        )
    return explained


def choose(log_odds: NDArray[np.float64], outcomes: NDArray[np.float64]) -> dict[str, int]:
    """Kind → row: the highest log-odds, the median ones, and the outcome that was least expected.

    A row that is several of them has all their names, such as "highest and most wrong".

    Args:
        log_odds: [rows], at least one.
        outcomes: [rows], 0 or 1; NaN where it was not observed.
    """
    order = np.argsort(log_odds, kind="stable")
    # How much the outcome was unexpected: the log-odds of the other outcome.
    surprise = np.where(np.isnan(outcomes), -np.inf, np.where(outcomes == 1, -log_odds, log_odds))
    candidates = {HIGHEST: int(order[-1]), TYPICAL: int(order[len(order) // 2])}
    if np.isfinite(surprise).any():
        candidates[MOST_WRONG] = int(np.argmax(surprise))
    chosen: dict[int, list[str]] = {}
    for kind, row in candidates.items():
        chosen.setdefault(row, []).append(kind)
    return {" and ".join(kinds): row for row, kinds in chosen.items()}


def _outcome(feature: Any) -> float:
    values = [*feature.int64_list.value, *feature.float_list.value]
    return float(values[0]) if values else np.nan


def _text(feature: Any, is_id: bool) -> str:
    """A column's value for people: numbers with four digits, and of a long list its first values."""
    texts = [value.decode("utf-8", "replace") for value in feature.bytes_list.value]
    numbers = [shown_number(value, ".4g") for value in (*feature.int64_list.value, *feature.float_list.value)]
    values = [*texts, *numbers]
    if not values:
        return "missing"
    if is_id:
        return "known"
    more = len(values) - _LONGEST_LIST
    return ", ".join(values) if more <= 0 else f"{', '.join(values[:_LONGEST_LIST])} and {more} more"
