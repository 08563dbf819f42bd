"""The Evaluator on real shards and real SavedModels."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from sklearn.metrics import log_loss, roc_auc_score
from tensorflow_model_analysis.api import dataframe
from tfx.components.util import model_utils
from tfx.types import standard_artifacts

from ranker.config.gates import Gate, Gates
from ranker.evaluation.accumulator import Accumulator
from ranker.evaluation.baseline import Baseline
from ranker.evaluation.sessions import Sessions
from tests.components.evaluator.conftest import GATES, Evaluated, labels_and_scores, model_artifact
from tests.ranker.evaluation.logit_model import save_model, write_examples
from tests.ranker.evaluation.simulated import OBJECTIVES, UTILITY, Simulated

pytestmark = pytest.mark.slow

Evaluate = Callable[..., Evaluated]


def test_the_first_model_is_blessed_by_absolute_gates_and_tfma_reads_its_evaluation(
    evaluate: Evaluate, data: Simulated, good_model: Path
) -> None:
    absent = standard_artifacts.Model()
    absent.set_int_custom_property("present", 0)
    result = evaluate(good_model, absent, gates=replace(GATES, baseline_required=True))

    assert model_utils.is_model_blessed(result.blessing)
    assert (Path(result.blessing.uri) / "BLESSED").exists()
    assert result.evaluation.blessed is True
    assert result.evaluation.baseline == Baseline()
    assert {verdict.metric for verdict in result.evaluation.verdicts} == {"auc", "normalized_entropy", "o_over_e"}

    loaded = tfma.load_eval_result(result.uri)
    overall = dict(loaded.slicing_metrics)[()]
    for name in OBJECTIVES:
        labels, scores = labels_and_scores(data, name)
        metrics = overall[name][""]
        exact = roc_auc_score(labels, scores)
        assert metrics["auc"]["boundedValue"]["value"] == pytest.approx(exact, abs=1e-3)
        assert metrics["auc"]["boundedValue"]["lowerBound"] < exact < metrics["auc"]["boundedValue"]["upperBound"]
        assert metrics["o_over_e"]["boundedValue"]["value"] == pytest.approx(labels.sum() / scores.sum(), rel=1e-6)
        assert metrics["positives"]["doubleValue"] == labels.sum()
        entropy = metrics["normalized_entropy"]["boundedValue"]
        base = log_loss(labels, np.full(len(labels), labels.mean()))
        assert entropy["value"] == pytest.approx(log_loss(labels, scores) / base, rel=1e-4)
        assert entropy["lowerBound"] < entropy["value"] < entropy["upperBound"] < 1.0
        sessions = [np.flatnonzero(data.sessions == session) for session in set(data.sessions)]
        pairs = np.array([labels[own].sum() * (~labels[own]).sum() for own in sessions])
        aucs = [
            roc_auc_score(labels[own], scores[own].astype(np.float32)) if pairs_of else 0.0
            for own, pairs_of in zip(sessions, pairs, strict=True)
        ]
        assert metrics["gauc"]["boundedValue"]["value"] == pytest.approx(np.average(aucs, weights=pairs), abs=1e-4)
        assert (
            metrics["ndcg_at_k"]["boundedValue"]["value"]
            == result.evaluation.objectives[name].candidate.ranking.ndcg.value
        )
    utility = overall[""][""]
    assert utility["sessions"]["doubleValue"] == len(set(data.sessions))
    top, expected = utility["top_utility"]["boundedValue"], result.evaluation.utility.candidate.top_utility
    assert (top["value"], top["lowerBound"], top["upperBound"]) == (expected.value, expected.lower, expected.upper)
    assert utility["utility_ndcg_at_k"]["boundedValue"]["value"] == result.evaluation.utility.candidate.ndcg.value
    assert result.evaluation.sessions == Sessions(UTILITY)

    frame = dataframe.metrics_as_dataframes(tfma.load_metrics(result.uri)).double_value
    crosses = frame[frame[("slices", "device")].notna() & frame[("slices", "country")].notna()]
    assert set(crosses[("slices", "device")]) == {b"ios", b"android", b"(missing)"}
    assert set(frame[("metric_keys", "model_name")]) == {"candidate"}

    curves = dataframe.plots_as_dataframes(tfma.load_plots(result.uri)).calibration_histogram_buckets
    share = curves[curves[("slices", "Overall")].notna() & (curves[("plot_keys", "output_name")] == "share")]
    assert share[("plot_data", "num_weighted_examples")].sum() == data.rows
    assert share[("plot_data", "total_weighted_label")].sum() == labels_and_scores(data, "share")[0].sum()


def test_both_models_are_scored_and_compared_in_one_evaluation(
    evaluate: Evaluate, good_model: Path, tmp_path: Path
) -> None:
    save_model(tmp_path / "serving", shift=0.5)
    result = evaluate(good_model, model_artifact(tmp_path / "serving", "41"))
    assert result.evaluation.baseline == Baseline("41")
    click = result.evaluation.objectives["click"]
    assert click.baseline is not None
    assert click.comparison is not None
    assert click.comparison.auc_drop.value == pytest.approx(0.0, abs=2e-4)
    assert click.comparison.calibration_worsening.value < 0.0
    assert click.baseline.o_over_e.value < 0.85 < click.candidate.o_over_e.value
    assert {verdict.metric for verdict in result.evaluation.verdicts} >= {"auc_drop", "calibration_worsening"}
    assert result.blessing.get_string_custom_property("baseline_model") == str(tmp_path / "serving")
    frame = dataframe.metrics_as_dataframes(tfma.load_metrics(result.uri)).double_value
    assert set(frame[("metric_keys", "model_name")]) == {"candidate", "baseline"}
    assert tfma.load_eval_result(result.uri, model_name="baseline").slicing_metrics


def test_a_miscalibrated_candidate_is_not_blessed(evaluate: Evaluate, tmp_path: Path) -> None:
    save_model(tmp_path / "model", shift=-1.0)
    result = evaluate(tmp_path / "model")
    assert not model_utils.is_model_blessed(result.blessing)
    assert (Path(result.blessing.uri) / "NOT_BLESSED").exists()
    refused = [verdict for verdict in result.evaluation.verdicts if verdict.refuses]
    assert {(verdict.objective, verdict.metric) for verdict in refused} >= {("click", "o_over_e")}
    assert all(verdict.limit[1] is not None and verdict.lower > verdict.limit[1] for verdict in refused)


def test_objectives_that_both_models_predict_are_compared(evaluate: Evaluate, good_model: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "serving", objectives=("share", "follow", "comment"), shift=0.5)
    result = evaluate(good_model, model_artifact(tmp_path / "serving", "7"))
    shared, lacking = "share", "click"
    assert result.evaluation.baseline == Baseline("7", lacks=(lacking,))
    comparison = result.evaluation.objectives[shared].comparison
    assert comparison is not None
    assert comparison.calibration_worsening.value < 0.0
    assert result.evaluation.objectives[lacking].baseline is None
    assert result.evaluation.objectives[lacking].comparison is None
    assert result.evaluation.curves[lacking].baseline is None
    compared = {(v.objective, v.metric) for v in result.evaluation.verdicts if not v.slice}
    assert (shared, "auc_drop") in compared
    assert (lacking, "auc_drop") not in compared
    assert (lacking, "auc") in compared
    assert f"it does not predict {lacking}, so these were not compared" in str(result.evaluation)
    assert result.blessing.get_string_custom_property("baseline_model") == str(tmp_path / "serving")


def test_a_worse_candidate_is_blocked_by_the_objective_that_both_predict(evaluate: Evaluate, tmp_path: Path) -> None:
    save_model(tmp_path / "serving", objectives=("click", "follow"))
    save_model(tmp_path / "candidate", shift=0.3)
    gates = Gates(objective=Gate(max_calibration_worsening=0.05), slice=None)
    result = evaluate(tmp_path / "candidate", model_artifact(tmp_path / "serving", "7"), gates=gates)
    assert {(v.objective, v.metric) for v in result.evaluation.verdicts if v.refuses} == {
        ("click", "calibration_worsening")
    }


def test_a_missing_baseline_blocks_if_the_gates_say_so(evaluate: Evaluate, good_model: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "serving", objectives=("comment", "follow"))
    result = evaluate(
        good_model, model_artifact(tmp_path / "serving", "7"), gates=replace(GATES, baseline_required=True)
    )
    assert result.evaluation.blessed is False
    assert result.evaluation.baseline.blocks
    assert not any(verdict.refuses for verdict in result.evaluation.verdicts)
    assert not model_utils.is_model_blessed(result.blessing)
    assert "this blocks it, as gates.baseline_required is set" in str(result.evaluation)


def test_only_the_first_model_may_lack_a_required_baseline(evaluate: Evaluate, good_model: Path) -> None:
    absent = standard_artifacts.Model()
    absent.set_int_custom_property("present", 0)
    absent.set_string_custom_property("baseline_reason", "version 7 was trained on 2026-03-09")
    result = evaluate(good_model, absent, gates=replace(GATES, baseline_required=True))
    assert result.evaluation.blessed is False
    assert result.evaluation.baseline == Baseline(reason="version 7 was trained on 2026-03-09", blocks=True)


def test_the_evaluation_says_that_the_baseline_is_not_what_serves(
    evaluate: Evaluate, good_model: Path, tmp_path: Path
) -> None:
    save_model(tmp_path / "older")
    older = model_artifact(tmp_path / "older", "6")
    older.set_string_custom_property("baseline_reason", "version 8, which is newer, was trained on 2026-03-09")
    result = evaluate(good_model, older)
    assert result.evaluation.compared
    assert (
        "compared with version 6, on the same impressions; version 8, which is newer, was trained on 2026-03-09"
    ) in str(result.evaluation)


def test_a_serving_model_that_predicts_nan_is_dropped(evaluate: Evaluate, good_model: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "serving", shift=math.nan)
    result = evaluate(good_model, model_artifact(tmp_path / "serving", "7"))
    assert "not probabilities: click on 4000 of 4000" in (result.evaluation.baseline.dropped or "")
    assert result.evaluation.blessed is True


def test_a_broken_serving_model_is_dropped_with_the_reason(
    evaluate: Evaluate, good_model: Path, tmp_path: Path
) -> None:
    save_model(tmp_path / "serving")
    (tmp_path / "serving" / "Format-Serving" / "saved_model.pb").write_bytes(b"\xff\xff not a model")
    result = evaluate(good_model, model_artifact(tmp_path / "serving", "7"))
    assert result.evaluation.baseline.version == "7"
    assert "saved_model.pb cannot be read" in (result.evaluation.baseline.dropped or "")
    assert result.evaluation.blessed is True
    assert result.evaluation.objectives["click"].baseline is None
    assert not result.blessing.has_custom_property("baseline_model")


def test_a_serving_model_that_fails_on_a_later_example_is_dropped(
    evaluate: Evaluate, good_model: Path, data: Simulated, tmp_path: Path
) -> None:
    """The first examples have the input that it needs, and the others lack it."""
    save_model(tmp_path / "serving", needs="retired_feature")
    examples = standard_artifacts.Examples()
    examples.uri = str(tmp_path / "examples")
    examples.split_names = json.dumps(["eval"])
    write_examples(tmp_path / "examples" / "Split-eval", data, with_feature="retired_feature", on_rows=1000)
    result = evaluate(good_model, model_artifact(tmp_path / "serving", "7"), on=examples)
    assert "it fails to score today's examples: InvalidArgumentError" in (result.evaluation.baseline.dropped or "")
    assert "retired_feature" in (result.evaluation.baseline.dropped or "")
    assert result.evaluation.blessed is True


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_that_is_not_the_baselines_fails_the_evaluation(
    evaluate: Evaluate, good_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """In the middle of the pass, on one batch."""
    save_model(tmp_path / "serving")
    add = Accumulator.add
    calls: list[int] = []

    def failing(self: Accumulator, *arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise error
        add(self, *arguments)

    monkeypatch.setattr(Accumulator, "add", failing)
    monkeypatch.setattr("components.evaluator.executor.BATCH_SIZE", 500)
    with pytest.raises((type(error), RuntimeError), match=re.escape(str(error))):
        evaluate(good_model, model_artifact(tmp_path / "serving", "7"))
    assert not list((tmp_path / "blessing").iterdir())


def test_a_candidate_that_predicts_nan_is_an_error_that_names_the_objective(evaluate: Evaluate, tmp_path: Path) -> None:
    save_model(tmp_path / "model", shift=math.nan)
    with pytest.raises(ValueError, match=r"not probabilities.*share on 4000 of 4000 impressions"):
        evaluate(tmp_path / "model")


def test_a_candidate_without_an_objective_is_an_error(evaluate: Evaluate, tmp_path: Path) -> None:
    save_model(tmp_path / "model", objectives=("click",))
    with pytest.raises(ValueError, match=r"candidate cannot be evaluated: it predicts \['click'\] and not"):
        evaluate(tmp_path / "model")


def test_an_empty_split_is_an_error(
    evaluate: Evaluate, good_model: Path, empty_examples: standard_artifacts.Examples
) -> None:
    with pytest.raises(ValueError, match="has no impressions"):
        evaluate(good_model, on=empty_examples)


def test_one_objective_alone_works_though_tfma_then_drops_the_outputs_name(
    evaluate: Evaluate, tmp_path: Path, data: Simulated
) -> None:
    save_model(tmp_path / "model", objectives=("click",))
    result = evaluate(tmp_path / "model", objectives=("click",))
    labels, scores = labels_and_scores(data, "click")
    assert result.evaluation.objectives["click"].candidate.o_over_e.value == pytest.approx(
        labels.sum() / scores.sum(), rel=1e-6
    )


def test_batch_size_does_not_change_the_evaluation(
    evaluate: Evaluate, good_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluate(good_model).evaluation.objectives
    for folder in ("evaluation", "blessing"):
        (tmp_path / folder).rename(tmp_path / f"first-{folder}")
    monkeypatch.setattr("components.evaluator.executor.BATCH_SIZE", 97)
    pieces = evaluate(good_model).evaluation.objectives
    for name in OBJECTIVES:
        # TensorFlow itself rounds a probability differently at the end of a vector.
        one, other = (asdict(found[name].candidate) for found in (pieces, whole))
        for estimate in ("auc", "normalized_entropy", "o_over_e"):
            assert one.pop(estimate) == pytest.approx(other.pop(estimate), rel=1e-6)
        for measured, again in zip(one.pop("ranking").values(), other.pop("ranking").values(), strict=True):
            assert again == pytest.approx(measured, rel=1e-3)  # such a rounding may swap two impressions
        assert one == pytest.approx(other, rel=1e-6)
