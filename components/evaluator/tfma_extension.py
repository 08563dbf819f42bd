"""Our evaluation through TFMA's extension points: an Extractor, an Evaluator and a Writer.

TFMA reads, scores and writes as usual. Its own metrics would process every row once per objective, metric and slice.
This evaluator takes the scored batches and sums all of them in one pass with numpy.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.evaluators import evaluator
from tensorflow_model_analysis.extractors import extractor, predictions_extractor
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import metrics_for_slice_pb2
from tensorflow_model_analysis.writers import writer

from components.artifacts import EVALUATION_FILE
from components.evaluator.eval_config import EvaluationSpec
from ranker import keys
from ranker.evaluation.accumulator import Accumulator
from ranker.evaluation.batch_columns import read_labels, read_strings
from ranker.evaluation.buckets import Floats, viewer_groups
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.gates import judge
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.metrics import Reliability
from ranker.evaluation.session_metrics import UtilityMetrics
from ranker.evaluation.session_rows import session_hashes
from ranker.evaluation.sessions import Sessions
from ranker.evaluation.slicing import SliceKey
from ranker.evaluation.summary import BASELINE, CANDIDATE, Model, ObjectiveMetrics, SliceMetrics, summarize
from ranker.files import write_text
from ranker.storage import join

GATES_KEY = "gates"
CALIBRATION_PLOT = "calibration_plot"

Extracts = dict[str, Any]


def impressions_extractor(settings: EvaluationSpec) -> extractor.Extractor:
    """Replaces TFMA's feature and label extractors: it extracts only labels, viewers, sessions and slices."""

    def extract(extracts: Extracts) -> Extracts:
        batch = extracts[constants.ARROW_RECORD_BATCH_KEY]
        raw = batch.column(batch.schema.get_field_index(constants.ARROW_INPUT_COLUMN))
        names = (settings.viewer_key, settings.session_key, *settings.slice_columns)
        return {
            constants.INPUT_KEY: raw.flatten().to_numpy(zero_copy_only=False),
            constants.FEATURES_KEY: {name: read_strings(batch, name) for name in names},
            constants.LABELS_KEY: dict(zip(settings.objectives, read_labels(batch, settings.objectives), strict=True)),
        }

    return extractor.Extractor("ExtractImpressions", "ReadColumns" >> beam.Map(extract))


@dataclass(frozen=True)
class Conclusion:
    """The metrics and curves of every slice, and the evaluation with the verdicts."""

    slices: list[SliceMetrics]
    evaluation: Evaluation


class AccumulateFn(beam.CombineFn):
    """Accumulates batched extracts."""

    def __init__(self, settings: EvaluationSpec) -> None:
        self._settings = settings

    def create_accumulator(self) -> Accumulator:
        """An empty accumulator."""
        return Accumulator(self._settings.models, self._settings.utility, self._settings.slices)

    def add_input(self, accumulator: Accumulator, extracts: Extracts) -> Accumulator:
        """Adds one batch."""
        settings = self._settings
        features = extracts[constants.FEATURES_KEY]
        labels = np.stack([extracts[constants.LABELS_KEY][name] for name in settings.objectives])
        accumulator.add(
            labels,
            stack_predictions(extracts[constants.PREDICTIONS_KEY], settings, labels.shape[1]),
            viewer_groups(features[settings.viewer_key]),
            session_hashes(features[settings.session_key]),
            {name: features[name] for name in settings.slice_columns},
            stack_examination(extracts[constants.PREDICTIONS_KEY], settings, labels.shape[1]),
        )
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Accumulator]) -> Accumulator:
        """Merges accumulators."""
        total = self.create_accumulator()
        for accumulator in accumulators:
            total.merge(accumulator)
        return total

    def extract_output(self, accumulator: Accumulator) -> Accumulator:
        """The accumulator without the rows of its sessions: what remains of it is small."""
        accumulator.close()
        return accumulator


def stack_predictions(predictions: Any, settings: EvaluationSpec, rows: int) -> Floats:
    """TFMA's predictions as float64 [models, objectives, rows]; NaN for objectives that the baseline does not predict.

    TFMA omits the level of the models if there is only one model, and the level of the outputs if there is only one.
    """
    by_model = _of_models(predictions, settings)
    stacked = np.full((len(settings.models), len(settings.objectives), rows), np.nan)
    for m, outputs in enumerate(by_model):
        for o, objective in enumerate(settings.objectives):
            if settings.models[m] == BASELINE and objective not in settings.compared:
                continue
            values = outputs[objective] if isinstance(outputs, dict) else outputs
            stacked[m, o] = np.asarray(values).reshape(rows)
    return stacked


def stack_examination(predictions: Any, settings: EvaluationSpec, rows: int) -> Floats | None:
    """The examination that the models give beside their predictions, float64 [models, rows].

    It is 1 for a model without an exposure model; None if no model has one.
    """
    given = [
        outputs.get(keys.EXAMINATION) if isinstance(outputs, dict) else None
        for outputs in _of_models(predictions, settings)
    ]
    if all(values is None for values in given):
        return None
    return np.stack(
        [np.ones(rows) if values is None else np.asarray(values, np.float64).reshape(rows) for values in given]
    )


def _of_models(predictions: Any, settings: EvaluationSpec) -> list[Any]:
    return [predictions[model] for model in settings.models] if settings.compare else [predictions]


def conclude(accumulator: Accumulator, settings: EvaluationSpec) -> Conclusion:
    """Metrics, verdicts and the evaluation.

    Raises:
        ValueError: there are no impressions, or the candidate predicted values that are not probabilities.
    """
    if accumulator.impressions == 0:
        raise ValueError("Evaluator: the eval split has no impressions")
    invalid = dict(zip(accumulator.models, accumulator.invalid, strict=True))
    if problem := _invalid_predictions(invalid[CANDIDATE], settings, settings.objectives, accumulator.impressions):
        raise ValueError(f"Evaluator: the candidate predicted values that are not probabilities (NaN?): {problem}")
    baseline, compared = settings.baseline, settings.compared
    if compared and (problem := _invalid_predictions(invalid[BASELINE], settings, compared, accumulator.impressions)):
        baseline = replace(baseline, dropped=f"it predicted values that are not probabilities: {problem}", lacks=())
        compared = ()
    if baseline.is_missing:
        baseline = replace(baseline, blocks=settings.gates.baseline_required)
    slices = list(summarize(accumulator, settings.gates.confidence, compared))
    verdicts = judge(slices, settings.gates, first=baseline.version is None and not baseline.is_missing)
    evaluation = Evaluation.of(
        slices,
        verdicts,
        baseline,
        settings.gates.confidence,
        Sessions.of(accumulator),
        accumulator.index.too_many,
    )
    return Conclusion(slices, evaluation)


def _invalid_predictions(
    invalid: np.ndarray, settings: EvaluationSpec, predicted: Collection[str], impressions: int
) -> str:
    return ", ".join(
        f"{objective} on {count} of {impressions} impressions"
        for objective, count in zip(settings.objectives, invalid.tolist(), strict=True)
        if count and objective in predicted
    )


def feed_evaluator(settings: EvaluationSpec) -> evaluator.Evaluator:
    """TFMA's evaluator: metrics and plots in TFMA's own form, and the verdicts under `gates`."""
    return evaluator.Evaluator(
        stage_name="EvaluateFeed",
        run_after=predictions_extractor.PREDICTIONS_EXTRACTOR_STAGE_NAME,
        ptransform=_EvaluateFeed(settings),
    )


class _EvaluateFeed(beam.PTransform):
    def __init__(self, settings: EvaluationSpec) -> None:
        super().__init__()
        self._settings = settings

    def expand(self, extracts: beam.PCollection) -> evaluator.Evaluation:
        conclusion = (
            extracts
            | "Accumulate" >> beam.CombineGlobally(AccumulateFn(self._settings))
            | "Conclude" >> beam.Map(conclude, self._settings)
        )
        return {
            constants.METRICS_KEY: conclusion | "Metrics" >> beam.FlatMap(tfma_metrics),
            constants.PLOTS_KEY: conclusion | "Plots" >> beam.FlatMap(tfma_plots),
            GATES_KEY: conclusion | "Verdicts" >> beam.Map(lambda result: result.evaluation.to_json()),
        }


def tfma_metrics(conclusion: Conclusion) -> Iterator[tuple[SliceKey, dict[metric_types.MetricKey, Any]]]:
    """Each slice's metrics, those of the utility without an output name; values with an interval carry it."""
    for slice_metrics in conclusion.slices:
        values: dict[metric_types.MetricKey, Any] = {}
        for model, objective, metrics in _by_model(slice_metrics):
            for name, value in _values(metrics).items():
                values[metric_types.MetricKey(name, model_name=model, output_name=objective)] = value
        for model, utility in _utility_by_model(slice_metrics):
            for name, value in _utility_values(utility).items():
                values[metric_types.MetricKey(name, model_name=model)] = value
        yield slice_metrics.key, values


def tfma_plots(conclusion: Conclusion) -> Iterator[tuple[SliceKey, dict[metric_types.PlotKey, Any]]]:
    """Each slice's reliability curves, as TFMA's calibration histograms."""
    for slice_metrics in conclusion.slices:
        yield (
            slice_metrics.key,
            {
                metric_types.PlotKey(CALIBRATION_PLOT, model_name=model, output_name=objective): _histogram(
                    curves.reliability
                )
                for model, by_objective in slice_metrics.curves.items()
                for objective, curves in by_objective.items()
            },
        )


def _by_model(metrics: SliceMetrics) -> Iterator[tuple[Model, str, ObjectiveMetrics]]:
    for model, by_objective in ((CANDIDATE, metrics.candidate), (BASELINE, metrics.baseline)):
        for objective, objective_metrics in by_objective.items():
            yield model, objective, objective_metrics


def _utility_by_model(metrics: SliceMetrics) -> Iterator[tuple[Model, UtilityMetrics]]:
    yield CANDIDATE, metrics.utility.candidate
    if metrics.utility.baseline is not None:
        yield BASELINE, metrics.utility.baseline


def _utility_values(metrics: UtilityMetrics) -> dict[str, Any]:
    return {
        "sessions": metrics.sessions,
        "top_utility": _bounded(metrics.top_utility),
        "utility_ndcg_at_k": _bounded(metrics.ndcg),
    }


def _values(metrics: ObjectiveMetrics) -> dict[str, Any]:
    return {
        "impressions": metrics.impressions,
        "positives": metrics.positives,
        "auc": _bounded(metrics.auc),
        "gauc": _bounded(metrics.ranking.gauc),
        "ndcg_at_k": _bounded(metrics.ranking.ndcg),
        "o_over_e": _bounded(metrics.o_over_e),
        "mean_prediction": metrics.mean_prediction,
        "normalized_entropy": _bounded(metrics.normalized_entropy),
        "log_loss": metrics.log_loss,
        "expected_calibration_error": metrics.expected_calibration_error,
    }


def _bounded(estimate: Estimate) -> metrics_for_slice_pb2.BoundedValue:
    return metrics_for_slice_pb2.BoundedValue(
        value={"value": estimate.value}, lower_bound={"value": estimate.lower}, upper_bound={"value": estimate.upper}
    )


def _histogram(curve: Reliability) -> metrics_for_slice_pb2.CalibrationHistogramBuckets:
    histogram = metrics_for_slice_pb2.CalibrationHistogramBuckets()
    for i in range(len(curve.impressions)):
        histogram.buckets.add(
            lower_threshold_inclusive=curve.edges[i],
            upper_threshold_exclusive=curve.edges[i + 1],
            num_weighted_examples={"value": curve.impressions[i]},
            total_weighted_label={"value": curve.positives[i]},
            total_weighted_refined_prediction={"value": curve.predicted[i]},
        )
    return histogram


def gates_writer(output_path: str) -> writer.Writer:
    """The TFMA writer of `gates.json`, in the folder of the metrics."""
    return writer.Writer("WriteGates", _WriteGates(join(output_path, EVALUATION_FILE)))


class _WriteGates(beam.PTransform):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def expand(self, evaluation: evaluator.Evaluation) -> beam.PCollection:
        return evaluation[GATES_KEY] | "WriteJson" >> beam.Map(_write, self._path)


def _write(text: str, path: str) -> str:
    write_text(path, text)
    return path
