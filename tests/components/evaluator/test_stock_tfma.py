"""Our metrics equal TFMA's own on the same predictions."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from tensorflow_model_analysis.proto import config_pb2
from tfx.components.evaluator import executor as stock_executor
from tfx.types import standard_artifacts

from pipeline.beam import IN_PROCESS_ARGS
from tests.components.evaluator.conftest import Evaluated, model_artifact
from tests.ranker.evaluation.simulated import OBJECTIVES


def _stock_config() -> config_pb2.EvalConfig:
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                signature_name="serving_default",
                model_type="tf_generic",
                label_keys={name: name for name in OBJECTIVES},
            )
        ],
        metrics_specs=[
            config_pb2.MetricsSpec(
                output_names=[name],
                metrics=[
                    config_pb2.MetricConfig(class_name=metric)
                    for metric in ("AUC", "Calibration", "BinaryCrossEntropy", "ExampleCount")
                ],
            )
            for name in OBJECTIVES
        ],
        slicing_specs=[config_pb2.SlicingSpec(), config_pb2.SlicingSpec(feature_keys=["country"])],
    )


@pytest.mark.slow
def test_auc_and_o_over_e_equal_stock_tfmas_on_every_slice(
    evaluate: Callable[..., Evaluated], examples: standard_artifacts.Examples, good_model: Path, tmp_path: Path
) -> None:
    ours = tfma.load_eval_result(evaluate(good_model).uri)
    evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
    evaluation.uri, blessing.uri = str(tmp_path / "stock"), str(tmp_path / "stock-blessing")
    context = stock_executor.Executor.Context(
        beam_pipeline_args=list(IN_PROCESS_ARGS), tmp_dir=str(tmp_path / "stock-tmp"), unique_id="1"
    )
    stock_executor.Executor(context).Do(
        {"examples": [examples], "model": [model_artifact(good_model)]},
        {"evaluation": [evaluation], "blessing": [blessing]},
        {"eval_config": json_format.MessageToJson(_stock_config()), "example_splits": json.dumps(["eval"])},
    )
    stock = tfma.load_eval_result(evaluation.uri)

    our_slices = dict(ours.slicing_metrics)
    assert len(stock.slicing_metrics) == 5
    for key, by_objective in stock.slicing_metrics:
        for name in OBJECTIVES:
            theirs, mine = by_objective[name][""], our_slices[key][name][""]
            assert mine["auc"]["boundedValue"]["value"] == pytest.approx(theirs["auc"]["doubleValue"], abs=1e-3)
            expected_over_observed = theirs["calibration"]["doubleValue"]
            assert mine["o_over_e"]["boundedValue"]["value"] == pytest.approx(1 / expected_over_observed, rel=1e-6)
            assert mine["log_loss"]["doubleValue"] == pytest.approx(
                theirs["binary_crossentropy"]["doubleValue"], rel=1e-5
            )
            assert mine["impressions"]["doubleValue"] == theirs["example_count"]["doubleValue"]
