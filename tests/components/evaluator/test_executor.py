"""The Evaluator on real shards and real SavedModels."""

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from sklearn.metrics import log_loss, roc_auc_score
from tensorflow_model_analysis.api import dataframe
from tfx.components.util import model_utils
from tfx.types import standard_artifacts

from ranker.evaluation.evaluation import Baseline
from tests.components.evaluator.conftest import Evaluated, labels_and_scores, model_artifact
from tests.ranker.evaluation.logit_model import save_model
from tests.ranker.evaluation.simulated import OBJECTIVES, Simulated

pytestmark = pytest.mark.slow

Evaluate = Callable[..., Evaluated]


def test_the_first_model_is_blessed_by_absolute_gates_and_tfma_reads_its_evaluation(
    evaluate: Evaluate, data: Simulated, good_model: Path
) -> None:
    absent = standard_artifacts.Model()
    absent.set_int_custom_property("present", 0)
    result = evaluate(good_model, absent)

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


def test_a_serving_model_with_other_objectives_is_dropped_with_the_reason(
    evaluate: Evaluate, good_model: Path, tmp_path: Path
) -> None:
    save_model(tmp_path / "serving", objectives=("click", "follow"))
    result = evaluate(good_model, model_artifact(tmp_path / "serving", "7"))
    assert result.evaluation.baseline.version == "7"
    assert "it predicts ['click', 'follow'] and not ['click', 'share']" in (result.evaluation.baseline.dropped or "")
    assert result.evaluation.blessed is True
    assert result.evaluation.objectives["click"].baseline is None


def test_a_serving_model_that_predicts_nan_is_dropped(evaluate: Evaluate, good_model: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "serving", shift=math.nan)
    result = evaluate(good_model, model_artifact(tmp_path / "serving", "7"))
    assert "not probabilities: click on 4000 of 4000" in (result.evaluation.baseline.dropped or "")
    assert result.evaluation.blessed is True


def test_a_serving_model_that_fails_in_the_middle_is_dropped(
    evaluate: Evaluate, good_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(tmp_path / "serving", needs="retired_feature")
    monkeypatch.setattr("ranker.export.inspection.scoring_problem", lambda path, examples: None)
    result = evaluate(good_model, model_artifact(tmp_path / "serving", "7"))
    assert "scoring both models failed" in (result.evaluation.baseline.dropped or "")
    assert "Fail to call signature" in (result.evaluation.baseline.dropped or "")
    assert result.evaluation.blessed is True


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
        assert one == pytest.approx(other, rel=1e-6)
