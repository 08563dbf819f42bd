"""The serving benchmark's figures and tables, from given measurements."""

import time

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from benchmarks.harness import Figure
from benchmarks.serving import batches, forests, objectives, passes, protocol, side_by_side
from benchmarks.serving.batches import BatchCost
from benchmarks.serving.forests import ForestCost
from benchmarks.serving.objectives import ObjectiveCost
from benchmarks.serving.page import ServingResults, markdown
from benchmarks.serving.passes import Pass
from benchmarks.serving.progression import Stage, StringFeatures
from benchmarks.serving.protocol import ProtocolCost
from benchmarks.serving.quality import aucs
from benchmarks.serving.side_by_side import Throughput
from benchmarks.serving.trace import op_times


def test_auc_is_scikit_learns_ties_included() -> None:
    random = np.random.default_rng(0)
    outcomes = random.integers(0, 2, (200, 3))
    scores = np.round(random.random((200, 3)) + 0.3 * outcomes, 1).astype(np.float32)

    expected = [roc_auc_score(outcomes[:, i], scores[:, i]) for i in range(3)]
    np.testing.assert_allclose(aucs(scores, outcomes), expected, atol=1e-9)


@pytest.mark.slow
def test_string_features_end_as_their_values_embeddings() -> None:
    strings = StringFeatures(features=3, size=2)
    inputs = strings.inputs(rows=4)

    found = tf.function(strings)(**inputs).numpy()

    table = strings.embeddings.numpy()
    values = [[int(text.split(b"_")[-1]) for text in row] for row in inputs["texts"].numpy().tolist()]
    expected = np.concatenate([table[np.array(values)[:, f] + 16 * f] for f in range(3)], axis=1)
    np.testing.assert_array_equal(found, expected)


def test_forest_features_look_like_the_feeds() -> None:
    matrix = forests.features(1000, np.random.default_rng(0))

    assert matrix.shape == (1000, 104)
    assert np.isnan(matrix[:, :29]).mean() == pytest.approx(0.1, abs=0.01)
    np.testing.assert_array_equal(matrix[:, 38], matrix[:, 39:71].sum(axis=1))


@pytest.mark.slow
def test_one_forest_is_measured_and_agrees_with_xgboost() -> None:
    cost = forests.cost(depth=3, trees=10, threads=1, quick=True)

    assert (cost.depth, cost.trees) == (3, 10)
    assert min(cost.native, cost.native_matrix_ready, cost.graph, cost.xla) > 0


def test_the_headline_is_the_forest_that_compares_worst() -> None:
    fast = ForestCost(4, 100, 1500, 1, native=4.0, native_matrix_ready=2.0, graph=1.0, xla=0.5)
    slow = ForestCost(8, 900, 90000, 1, native=12.0, native_matrix_ready=8.0, graph=8.0, xla=8.0)

    plain, xla = forests.figures([fast, slow], ".all_cores")

    assert (plain.name, xla.name) == ("graph_forest.all_cores", "graph_forest_xla.all_cores")
    assert (plain.ratio, xla.ratio) == (1.5, 1.5)
    assert "900 trees of depth 8" in plain.note
    assert "1.50 to 4.00 times, and 1.00 to 2.00 times XGBoost on a ready DMatrix" in plain.note


def test_growth_and_saving_come_from_the_right_counts() -> None:
    measured = [
        ObjectiveCost(
            count,
            1,
            ours=0.010 + 0.0001 * count,
            bfloat16=0.008,
            tensors=0.009,
            networks=0.01 * count,
            former=0.02 * count,
            former_tuned=0.002 * count,
            xgboost=0.05,
            transform=0.005,
            xgboost_ready=0.02,
            onnxruntime=0.04 if count == 8 else None,
        )
        for count in (1, 8, 12)
    ]

    by_name = {figure.name: figure for figure in objectives.figures(measured)}

    assert by_name["objectives_12_over_1"].ratio == pytest.approx(11.2 / 10.1)
    assert by_name["former_setup_at_8"].ratio == pytest.approx(160 / 10.8)
    assert "written for speed: 1.48 times" in by_name["former_setup_at_8"].note
    assert by_name["networks_at_8"].ratio == pytest.approx(80 / 10.8)
    assert by_name["former_tuned_at_8"].ratio == pytest.approx(16 / 10.8)
    assert by_name["xgboost_at_8"].ratio == pytest.approx(50 / 10.8)
    assert by_name["xgboost_at_12"].ratio == pytest.approx(50 / 11.2)
    assert (by_name["xgboost_at_8"].target, by_name["xgboost_at_12"].target) == (2.0, 3.0)
    assert by_name["xgboost_at_8.bfloat16"].ratio == pytest.approx(50 / 8)
    assert by_name["xgboost_ready_at_12"].ratio == pytest.approx(20 / 11.2)
    assert by_name["onnxruntime_at_8"].ratio == pytest.approx(40 / 10.8)
    assert not {"onnxruntime_at_12", "treelite_at_8"} & set(by_name)
    on_all = {figure.name: figure.target for figure in objectives.figures(measured, ".all_cores")}
    assert on_all["xgboost_at_8.all_cores"] is None


def test_requests_side_by_side_are_counted_per_second() -> None:
    measured = [Throughput(8, 2, ours=100.0, bfloat16=150.0, xgboost=50.0), Throughput(12, 2, 90.0, 120.0, 40.0)]
    ratios = {figure.name: (figure.ratio, figure.target) for figure in side_by_side.figures(measured)}
    assert ratios == {
        "xgboost_at_8.side_by_side": (2.0, 2.0),
        "xgboost_at_8.side_by_side.bfloat16": (3.0, None),
        "xgboost_at_12.side_by_side": (2.25, None),
        "xgboost_at_12.side_by_side.bfloat16": (3.0, None),
    }
    calls: list[float] = []

    def run() -> None:
        time.sleep(0.01)
        calls.append(time.perf_counter())

    start = time.perf_counter()
    rate = side_by_side._rate(run, 2, 0.2)
    assert rate == pytest.approx(len(calls) / (max(calls) - start), rel=0.1)


def test_one_candidate_and_a_request_have_a_limit() -> None:
    costs = [BatchCost(1, 1, 0.004, 0.001, 0.01, 0.005), BatchCost(500, 1, 0.01, 0.009, 0.02, 0.01)]
    [one] = batches.figures(costs)
    assert (one.ratio, one.reached) == (0.5, True)
    parts = {
        "the client builds the request": 0.001,
        "the model scores": 0.01,
        "the complete call over gRPC": 0.025,
    }
    request, whole = protocol.figures([ProtocolCost(part, seconds) for part, seconds in parts.items()])
    assert (request.ratio, request.reached) == (0.5, True)
    assert whole.ratio == 2.5


@pytest.mark.parametrize(("before", "ratio", "target"), [(None, 0.5, 1.0), (2.5, 0.6, 0.5)])
def test_loading_is_compared_with_an_earlier_version_if_there_is_one(
    before: float | None, ratio: float, target: float
) -> None:
    second = Pass("feed", 450, 6000, 1.5, 0.02, 0.01, np.array([0.8]), before)
    first = Pass("first", 90, 1000, 1.0, 0.01, 0.005, np.array([0.7]))
    load = passes.figures([second, first])[0]
    assert load.ratio == pytest.approx(ratio)
    assert (load.name, load.target) == ("load", target)


def test_the_profile_names_the_ops_that_ran() -> None:
    matrix = tf.random.normal([300, 300])
    multiply = tf.function(lambda x: tf.matmul(x, x) @ x)

    times = {op.op: op for op in op_times(lambda: multiply(matrix).numpy())}

    (product,) = [op for name, op in times.items() if "MatMul" in name]
    assert product.calls == pytest.approx(2, abs=0.2)
    assert product.milliseconds > 0
    assert not {"Run", "Process"} & set(times)


def test_the_page_has_every_section_and_what_was_measured() -> None:
    results = ServingResults(
        stages=[Stage("string features", 0.030, 0.040), Stage("leaves as a dense tensor", 0.002, 0.012)]
    )

    figures = [
        Figure("load", 1.5, 3.0, "s", 1.0, target_is_least=False, note="a note"),
        Figure("aimless", 1.0, 1.0, "s"),
    ]

    page = markdown(results, figures)

    assert "| string features | 30.0 | 10.0 | 1.00 |" in page
    assert "| leaves as a dense tensor | 2.0 | 10.0 | 0.30 |" in page
    assert page.count("\n## ") == 11
    assert "| `load` | 0.5 | ≤ 1 | yes | a note |" in page
    assert "aimless" not in page
