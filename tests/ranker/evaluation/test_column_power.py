"""How well one column alone tells outcomes whose relation to it is known."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ranker.evaluation.column_power import ColumnPower, Outcomes, column_powers

ROWS = 6000


def outcomes(rate: float, rows: int = ROWS, viewers: int = 700, seed: int = 3) -> Outcomes:
    random = np.random.default_rng(seed)
    return Outcomes(random.random((rows, 1)) < rate, random.integers(viewers, size=rows))


def power(values: np.ndarray, of: Outcomes) -> ColumnPower:
    inputs = np.asarray(values, np.float32).reshape(len(of.labels), -1)
    [found] = column_powers(inputs, of)
    return found


def rows_of(labels: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    return np.where(labels.reshape(-1, *[1] * (positive.ndim - 1)), positive, negative)


_random = np.random.default_rng(11)
_amount = _random.lognormal(3.0, 1.0, ROWS)
_normal = _random.normal(size=(ROWS, 8))
_tokens = (_random.random((ROWS, 6)) < 0.3).astype(np.float64)

DISGUISES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "an amount": lambda y: np.where(y, _amount, 0.0),
    "a small number": lambda y: np.where(y, -_amount, _amount),
    "missing unless positive": lambda y: np.where(y, _amount, np.nan),
    "missing if positive": lambda y: np.where(y, np.nan, _amount),
    "a narrow band": lambda y: np.where(y, 0.5, np.where(_random.random(ROWS) < 0.5, _amount, -_amount)),
    "one category of many": lambda y: np.where(y, 37, _random.integers(38, 300, ROWS) - 300 * (_amount > 20)),
    "one token of a list": lambda y: np.column_stack([_tokens.sum(axis=1) + y, _tokens, y]),
    "an empty list unless positive": lambda y: np.where(y[:, None], 1.0, 0.0) * np.column_stack([_tokens, y]),
    "one number of a vector": lambda y: np.column_stack([_normal, y + 0.1 * _normal[:, 0]]),
    "a direction of a vector": lambda y: _normal + 5.0 * np.outer(y, np.ones(8)),
    "a vector of zeros unless positive": lambda y: np.where(y[:, None], _normal, 0.0),
}


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.7])
@pytest.mark.parametrize("disguise", DISGUISES)
def test_an_outcome_in_disguise_has_an_auc_close_to_1(disguise: str, rate: float) -> None:
    of = outcomes(rate)
    found = power(DISGUISES[disguise](of.labels[:, 0]), of)
    assert found.auc.value > 0.98
    assert found.auc.lower > 0.93
    assert found.auc.lower <= found.auc.value <= found.auc.upper


def test_the_auc_of_a_number_is_that_of_the_number_itself() -> None:
    of = outcomes(0.2)
    number = 1.2 * of.labels[:, 0] + _normal[:, 0]
    found = power(number, of)
    assert found.auc.value == pytest.approx(roc_auc_score(of.labels[:, 0], number), abs=0.01)
    assert found.auc.lower < found.auc.value < found.auc.upper
    assert not found.sure.defined
    assert power(-number, of).auc.value == pytest.approx(found.auc.value, abs=0.005)


@pytest.mark.parametrize(
    "column",
    [
        _normal[:, 0],
        _normal,
        _random.integers(1000, size=ROWS),
        np.where(_random.random(ROWS) < 0.9, np.nan, _amount),
        np.full(ROWS, np.nan),
        np.zeros(ROWS),
    ],
    ids=["number", "vector", "category of 1000", "mostly missing", "missing", "constant"],
)
def test_a_column_without_a_relation_says_nothing(column: np.ndarray) -> None:
    for rate in (0.005, 0.2):
        found = power(column, outcomes(rate))
        assert found.auc.value < 0.65
        assert found.auc.lower < 0.55
        assert not found.sure.defined or found.sure.lower < 0.5


def test_a_viewers_own_number_is_not_learnt_by_heart() -> None:
    random = np.random.default_rng(5)
    viewers = random.integers(900, size=ROWS)
    clicks = (random.random(900) < 0.2)[viewers]  # a viewer has one outcome for all impressions
    found = power(random.normal(size=900)[viewers], Outcomes(clicks[:, None], viewers))
    assert found.auc.value < 0.65


def test_few_positives_leave_a_wide_interval_even_without_an_error() -> None:
    random = np.random.default_rng(6)
    lower = []
    for positives in (3, 10, 30, 100):
        labels = np.arange(2000) < positives
        of = Outcomes(labels[:, None], random.permutation(2000))
        found = power(labels * 5.0, of)
        assert found.auc.value == 1.0
        lower.append(found.auc.lower)
    assert lower == sorted(lower)
    assert lower[0] < 0.7
    assert lower[-1] > 0.97


def test_positives_of_one_viewer_count_as_one() -> None:
    labels = np.arange(ROWS) < 100
    spread = power(labels * 1.0, Outcomes(labels[:, None], np.arange(ROWS) % 997))
    same = power(labels * 1.0, Outcomes(labels[:, None], np.where(labels, np.arange(ROWS) % 4, np.arange(ROWS) % 997)))
    assert spread.auc.lower > 0.95
    assert same.auc.lower < 0.9
    assert same.sure.lower < 0.5 < 0.9 < spread.sure.lower


def test_a_part_of_the_outcomes_is_almost_certain_where_the_column_has_a_value() -> None:
    of = outcomes(0.1)
    random = np.random.default_rng(7)
    filled = of.labels[:, 0] & (random.random(ROWS) < 0.2)
    found = power(np.where(filled, _amount, np.nan), of)
    assert found.auc.value < 0.65
    assert found.sure.value == 1.0
    assert found.sure.lower > 0.9
    assert found.sure_share == pytest.approx(filled.sum() / of.labels.sum())
    assert found.rate == pytest.approx(of.labels.mean())


def test_an_outcome_without_two_viewers_is_undefined() -> None:
    nobody = Outcomes(np.zeros((50, 1), bool), np.arange(50))
    one = Outcomes((np.arange(50) == 0)[:, None], np.arange(50))
    for of in (nobody, one):
        found = power(np.arange(50), of)
        assert not found.auc.defined
        assert not found.sure.defined
