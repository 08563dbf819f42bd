"""Columns that tell an outcome: what is found, named, and blocks."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ranker.config.documents import to_json
from ranker.evaluation.column_power import Outcomes
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.importance import Importance
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.leakage import METRIC, Leak, find_leaks, find_leaks_of_forest, served_columns
from ranker.evaluation.summary import ObjectiveMetrics
from ranker.evaluation.verdict import Verdict
from tests.ranker.evaluation import handmade
from tests.ranker.trained import CONFIG

ROWS = 8000
OBJECTIVES = ("visit", "purchase")

_random = np.random.default_rng(4)
_visit = _random.random(ROWS) < 0.15
_purchase = _visit & (_random.random(ROWS) < 0.2)
OUTCOMES = Outcomes(np.stack([_visit, _purchase], axis=1), _random.integers(1000, size=ROWS))
SPEND = np.where(_purchase, _random.lognormal(3.0, 1.0, ROWS), 0.0).astype(np.float32)[:, None]
AGE = _random.normal(40.0, 10.0, ROWS).astype(np.float32)[:, None]


def of_forest(auc: Estimate) -> ObjectiveMetrics:
    return replace(handmade.first().objectives["click"].candidate, auc=auc)


def test_what_was_spent_tells_the_purchase_entirely_and_the_visit_in_part() -> None:
    found = find_leaks([("age", AGE), ("spend", SPEND)], OUTCOMES, OBJECTIVES)
    assert [(leak.column, leak.objective, leak.sign) for leak in found] == [
        ("spend", "visit", "sure"),
        ("spend", "purchase", "alone"),
    ]
    visit, purchase = found
    assert (purchase.value, purchase.upper, purchase.positives) == (1.0, 1.0, _purchase.sum())
    assert purchase.lower > 0.97
    assert visit.value == 1.0
    assert visit.share == pytest.approx(_purchase.sum() / _visit.sum())
    assert all(leak.new and leak.refuses for leak in found)


@pytest.mark.parametrize("rows", [10, 60, 400])
def test_few_rows_raise_no_alarm(rows: int) -> None:
    few = Outcomes(OUTCOMES.labels[:rows], OUTCOMES.viewers[:rows])
    random = np.random.default_rng(rows)
    columns = [(f"c{i}", random.normal(size=(rows, 1)).astype(np.float32)) for i in range(200)]
    assert find_leaks(columns, few, OBJECTIVES) == ()


def test_a_strong_honest_column_raises_no_alarm() -> None:
    random = np.random.default_rng(8)
    strong = (random.normal(size=ROWS) + 1.6 * _visit).astype(np.float32)[:, None]  # an AUC of 0.87
    assert find_leaks([("rate", strong)], OUTCOMES, OBJECTIVES) == ()


def test_a_column_that_the_serving_model_reads_or_that_is_vouched_for_blocks_nothing() -> None:
    columns = [("spend", SPEND), ("spend_again", SPEND)]
    [_, served, _, vouched] = find_leaks(columns, OUTCOMES, OBJECTIVES, ["spend", "age"], ["spend_again"])
    assert (served.new, served.vouched, served.refuses) == (False, False, False)
    assert (vouched.new, vouched.vouched, vouched.refuses) == (True, True, False)
    assert "blocks nothing" in served.verdict.text
    assert not served.verdict.refuses
    assert served.verdict.outcome == "failed"


def test_the_verdict_names_column_objective_value_and_what_to_do() -> None:
    [_, leak] = find_leaks([("spend", SPEND)], OUTCOMES, OBJECTIVES)
    verdict = leak.verdict
    assert verdict.refuses
    assert (verdict.objective, verdict.metric, verdict.limit) == ("purchase", METRIC, (None, 0.9))
    assert verdict.text.startswith("purchase: the column spend alone has an AUC of 1.000 [0.9")
    assert verdict.text.endswith(
        "it may hold the outcome itself, so nothing is pushed; remove it from the features or, if it is known before a "
        'session is ranked, vouch for it with features.vouched=("spend",)'
    )


def test_columns_that_tell_an_outcome_only_together_are_found_by_the_forest() -> None:
    perfect = {"visit": of_forest(Estimate(0.999, 0.995, 1.0)), "purchase": of_forest(Estimate(0.8, 0.7, 0.9))}
    gains = {"visit": {"a": 0.4, "b": 0.5, "c": 0.1}, "purchase": {"a": 1.0}}
    found = find_leaks_of_forest(perfect, gains, (), served=["b"])
    assert [(leak.column, leak.objective, leak.sign, leak.share, leak.new) for leak in found] == [
        ("b", "visit", "forest", 0.5, False),
        ("a", "visit", "forest", 0.4, True),
    ]
    assert "50 % of its gain is from the column b" in found[0].verdict.text
    explained = find_leaks([("spend", SPEND)], OUTCOMES, OBJECTIVES)
    assert find_leaks_of_forest(perfect, gains, explained) == ()
    uncertain = {"visit": of_forest(Estimate(0.999, 0.9, 1.0))}
    assert find_leaks_of_forest(uncertain, gains, ()) == ()


def test_an_evaluation_with_a_new_one_is_not_blessed_and_says_so_first() -> None:
    evaluation = handmade.first()
    assert evaluation.blessed
    leak = Leak("spend", "click", "alone", 300, 1.0, 0.99, 1.0, 0.9)
    blocked = evaluation.with_columns([leak], {}, Importance())
    assert not blocked.blessed
    assert blocked.leaks == (leak,)
    assert isinstance(blocked.verdicts[0], Verdict)
    assert blocked.verdicts[0].metric == METRIC
    assert blocked.state("click") == "refused"
    assert blocked.gate("click") == "refused: leak"
    assert Evaluation.from_json(blocked.to_json()) == blocked
    assert "spend" in str(blocked)

    for harmless in (replace(leak, new=False), replace(leak, vouched=True)):
        assert evaluation.with_columns([harmless], {}, Importance()).blessed
    vouched = evaluation.with_columns([replace(leak, vouched=True)], {}, Importance())
    assert vouched.verdicts == evaluation.verdicts
    assert vouched.leaks


def test_the_columns_of_a_serving_model_are_those_of_its_manifest() -> None:
    features = {
        "numeric": ["age", "hour"],
        "categorical": [{"name": "device", "vocabulary_size": 10}],
        "multi_valued": [{"name": "tags"}],
        "dense": [{"name": "embedding", "size": 4}],
        "history": [{"name": "authors", "of": "author_id", "actions": ["click"]}],
        "ids": [{"name": "author_id", "buckets": 20}],
        "exposure": [{"name": "position", "default": 1.0}],
    }
    assert served_columns({"features": features}) == {
        *("age", "hour", "device", "tags", "embedding", "authors", "author_id")
    }
    config = json.loads(to_json(CONFIG.features))
    assert served_columns({"features": config}) == set(CONFIG.features.names)
    assert served_columns({}) == frozenset()
