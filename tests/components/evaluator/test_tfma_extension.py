"""What the models predicted, as TFMA's extracts hold it."""

from dataclasses import replace

import numpy as np

from components.evaluator.eval_config import EvaluationSpec
from components.evaluator.tfma_extension import stack_examination, stack_predictions
from ranker.config.gates import Gates
from ranker.evaluation.session_sums import UtilityWeights
from ranker.evaluation.summary import BASELINE, CANDIDATE

SPEC = EvaluationSpec(UtilityWeights({"click": 1.0, "like": 2.0}, k=3), "viewer", "session", (), Gates())
COMPARED = replace(SPEC, compared=("click", "like"))
PLAIN = {"click": np.array([[0.1], [0.2]]), "like": np.array([0.3, 0.4])}
EXAMINED = {**PLAIN, "examination": np.array([[1.0], [0.5]], np.float32)}


def test_examination_is_no_objective() -> None:
    np.testing.assert_array_equal(stack_predictions(EXAMINED, SPEC, 2), [[[0.1, 0.2], [0.3, 0.4]]])


def test_examination_of_one_model_and_of_two() -> None:
    np.testing.assert_array_equal(stack_examination(EXAMINED, SPEC, 2), [[1.0, 0.5]])
    np.testing.assert_array_equal(
        stack_examination({CANDIDATE: PLAIN, BASELINE: EXAMINED}, COMPARED, 2), [[1.0, 1.0], [1.0, 0.5]]
    )


def test_without_an_exposure_model_there_is_none() -> None:
    assert stack_examination(PLAIN, SPEC, 2) is None
    assert stack_examination({CANDIDATE: PLAIN, BASELINE: PLAIN}, COMPARED, 2) is None
    one = replace(SPEC, utility=UtilityWeights({"click": 1.0}, k=3))
    assert stack_examination(np.array([0.1, 0.2]), one, 2) is None
