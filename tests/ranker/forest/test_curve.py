"""The forest's training curve survives its file."""

import json
import math

import pytest

from ranker.documents import DocumentError
from ranker.forest.curve import LimitedOutput, TrainingCurve

CURVE = TrainingCurve((0.5, 0.4, 0.35), (0.5, 0.42, 0.43), 3, {"click": 3, "like": 2})


def test_it_is_equal_after_a_round_trip_through_its_file() -> None:
    assert TrainingCurve.from_json(CURVE.to_json()) == CURVE
    unvalidated = TrainingCurve((0.5,), (), 1, {"any engagement": 1})
    assert TrainingCurve.from_json(unvalidated.to_json()) == unvalidated


def test_a_loss_that_is_not_defined_survives_the_file() -> None:
    curve = TrainingCurve((0.5,), (math.nan,), 1, {"click": 1})
    found = TrainingCurve.from_json(curve.to_json())
    assert found.train == (0.5,)
    assert math.isnan(found.validation[0])


def test_the_file_says_which_rounds_were_kept() -> None:
    document = json.loads(CURVE.to_json())
    assert document["train"] == [0.5, 0.4, 0.35]
    assert (document["kept_rounds"], document["output_rounds"]) == (3, {"click": 3, "like": 2})


def test_a_damaged_file_is_named_with_the_field() -> None:
    damaged = CURVE.to_json().replace("0.42", '"low"')
    with pytest.raises(DocumentError, match=r"^forest/7/training_curve\.json: validation\.1: "):
        TrainingCurve.from_json(damaged, "forest/7/training_curve.json")


def test_a_limited_objective_is_a_note() -> None:
    curve = TrainingCurve((0.5,), (0.5,), 20, {"click": 20, "like": 20}, {"like": LimitedOutput(2, 20)})
    assert TrainingCurve.from_json(curve.to_json()) == curve
    assert curve.notes() == (
        "like: impressions of the held-out viewers with the rarer outcome: 2, too few for early stopping, so the "
        "forest has at most 20 trees for it",
    )
    assert CURVE.notes() == ()
