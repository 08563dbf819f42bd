"""The report's tables."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup, escape

from ranker.config.names import UTILITY
from ranker.evaluation.evaluated_slice import ObjectiveEvaluation
from ranker.evaluation.gate_sentences import limit_text
from ranker.evaluation.gate_states import State
from ranker.evaluation.intervals import UNDEFINED, Estimate
from ranker.evaluation.verdict import BY_UTILITY, TOO_FEW, TOO_FEW_SESSIONS
from ranker.reports.calibration.inputs import FeatureComparison, ReportInputs
from ranker.reports.calibration.reliability import merged
from ranker.reports.html_table import MAX_ROWS, Table, TableCell, TableColumn, Tone, limited, text_cell
from ranker.reports.text import (
    count,
    defined,
    gain,
    interval,
    number,
    percent,
    signed,
    signed_interval,
    significant,
    weekday,
)

_NE = TableColumn(
    "NE", "normalized entropy: log loss over the entropy of the base rate; below 1 is better than the base rate"
)
_TONES: dict[State, Tone] = {"refused": "bad", "too few": "warn", "passed": "good", "no gate": "muted"}
_FOREST = TableColumn("forest alone", "AUC of the forest without the towers; below it its O/E and normalized entropy")
_ECE = TableColumn("ECE", "expected calibration error: mean gap of the reliability diagram")
_SERVING = (
    TableColumn(
        "serving AUC", "of the model now serving; below it the candidate's difference, above 0 if it is better"
    ),
    TableColumn(
        "serving O/E",
        "of the model now serving; below it the candidate's difference of |log O/E|, below 0 if it is better",
    ),
    TableColumn("serving NE", "of the model now serving; below it the candidate's difference, below 0 if it is better"),
)


def objectives_table(inputs: ReportInputs) -> Table:
    """One row per objective: metrics with intervals, those of the serving model, and the gate."""
    columns = [
        TableColumn("objective", numeric=False),
        TableColumn("AUC", "area under the ROC curve; below it the interval over viewers"),
        TableColumn("O/E", "outcomes observed per outcome expected; below it the interval over viewers"),
        TableColumn("gates", "over all impressions", numeric=False),
        _NE,
        *((_FOREST,) if inputs.evaluation.references else ()),
        *(_SERVING if inputs.compared else ()),
        TableColumn(
            "positives",
            "impressions with the outcome on the held-out day; below it the share of the impressions of which it was "
            "observed, if it was not always",
        ),
        TableColumn(
            "base rate",
            "share of positives among observed outcomes on the held-out day; below it the share in training and the "
            "normalized entropy of predicting that",
        ),
        _ECE,
    ]
    rows = []
    for name, evaluated in inputs.evaluation.objectives.items():
        metrics = evaluated.candidate
        rate = defined(metrics.base_rate)
        trained = inputs.base_rates.get(name)
        rows.append(
            (
                TableCell(name, name, _objective_note(inputs, name)),
                _bounded(metrics.auc),
                _bounded(metrics.o_over_e),
                text_cell(inputs.evaluation.gate(name), _TONES[inputs.evaluation.state(name)]),
                TableCell(
                    number(metrics.normalized_entropy.value),
                    defined(metrics.normalized_entropy.value),
                    f"{interval(metrics.normalized_entropy)}\n{number(metrics.log_loss, 4)} nats",
                ),
                *((_forest_cell(inputs, name),) if inputs.evaluation.references else ()),
                *(_serving_cells(evaluated) if inputs.compared else ()),
                TableCell(count(metrics.positives), metrics.positives, _observed_note(inputs, name)),
                TableCell(percent(rate, 2), rate, _base_rate_note(inputs, name, trained)),
                _value(metrics.expected_calibration_error, 4),
            )
        )
    return Table("objectives", tuple(columns), tuple(rows))


def bins_table(inputs: ReportInputs) -> Table:
    """One row per bin of every reliability diagram."""
    columns = [
        TableColumn("objective", numeric=False),
        TableColumn("predicted from", "lowest prediction of the bin"),
        TableColumn("impressions"),
        TableColumn("positives"),
        TableColumn("expected", "sum of the predictions"),
        TableColumn("mean predicted"),
        TableColumn("observed", "share of positives"),
    ]
    rows = []
    for name, curves in inputs.evaluation.curves.items():
        for low, impressions, positives, expected in zip(*merged(curves.candidate.reliability), strict=True):
            if impressions:
                rows.append(
                    (
                        text_cell(name),
                        TableCell(percent(low, 2), low),
                        TableCell(count(impressions), impressions),
                        TableCell(count(positives), positives),
                        TableCell(number(expected, 1), expected),
                        TableCell(percent(expected / impressions, 2), expected / impressions),
                        TableCell(percent(positives / impressions, 2), positives / impressions),
                    )
                )
    return limited("bins", columns, rows)


def slices_table(inputs: ReportInputs) -> Table:
    """One row per objective and slice, by descending number of positives."""
    columns = [
        TableColumn("slice", numeric=False),
        TableColumn("objective", numeric=False),
        TableColumn("impressions"),
        TableColumn("positives"),
        TableColumn("AUC"),
        *([TableColumn("serving AUC")] if inputs.compared else []),
        TableColumn("O/E"),
        *([TableColumn("serving O/E")] if inputs.compared else []),
        _NE,
        _ECE,
    ]
    entries = [
        (entry.name, objective, evaluated)
        for entry in inputs.evaluation.slices
        for objective, evaluated in entry.objectives.items()
    ]
    entries.sort(key=lambda entry: -entry[2].candidate.positives)
    rows = []
    for name, objective, evaluated in entries[:MAX_ROWS]:
        metrics, serving = evaluated.candidate, evaluated.baseline
        rows.append(
            (
                text_cell(name),
                text_cell(objective),
                TableCell(count(metrics.impressions), metrics.impressions),
                TableCell(count(metrics.positives), metrics.positives),
                _bounded(metrics.auc),
                *((_value(serving.auc.value if serving else None),) if inputs.compared else ()),
                _bounded(metrics.o_over_e),
                *((_value(serving.o_over_e.value if serving else None),) if inputs.compared else ()),
                _value(metrics.normalized_entropy.value),
                _value(metrics.expected_calibration_error, 4),
            )
        )
    return limited("slices", columns, rows, existing=len(entries))


def gates_table(inputs: ReportInputs) -> Table:
    """Every verdict over all impressions, and the verdicts on slices that failed or block the model."""
    columns = [
        TableColumn("objective", numeric=False),
        TableColumn("slice", numeric=False),
        TableColumn("metric", numeric=False),
        TableColumn("value"),
        TableColumn("limit", numeric=False),
        TableColumn("outcome", numeric=False),
    ]
    rows = []
    for v in inputs.evaluation.verdicts:
        tone: Tone = "bad" if v.refuses else "good" if v.passed else "warn"
        outcome: str = v.outcome
        if v.outcome == "too few":
            outcome = TOO_FEW_SESSIONS if v.objective == BY_UTILITY else TOO_FEW
        if v.outcome == "failed" and not v.blocking:
            outcome += ", reported only"
        rows.append(
            (
                text_cell(v.objective or UTILITY),
                text_cell(v.slice or "all impressions"),
                text_cell(v.metric),
                _bounded(v.estimate),
                text_cell(limit_text(v.limit)),
                text_cell(outcome, tone),
            )
        )
    return limited("gates", columns, rows)


def features_table(inputs: ReportInputs, name: str, most: int) -> Table:
    """At most `most` rows, one per feature, by descending share of the drift limit and then by distance."""
    columns = [
        TableColumn("feature", numeric=False),
        TableColumn("missing", "share of impressions without a value: training → held-out day"),
        TableColumn("typical value", "mean, or share of the most frequent value: training → held-out day"),
        TableColumn(
            "drift",
            "Jensen–Shannon divergence of the held-out day from the reference window, in bits; as in the monitor",
        ),
        TableColumn("schema's measure", "of the held-out day, compared with the reference window"),
        TableColumn("limit", "the schema's"),
        TableColumn("share of limit", "the schema's measure over its limit"),
        TableColumn("measure", numeric=False),
    ]
    features = sorted(inputs.features, key=lambda f: (-(_share_of_limit(f) or 0.0), -(f.distance or 0.0)))
    return limited(name, columns, [_feature_row(f) for f in features], most)


def days_table(rows_per_day: Mapping[str, int]) -> Table:
    """Rows per day, the held-out day last."""
    columns = [
        TableColumn("day", numeric=False),
        TableColumn("weekday", numeric=False),
        TableColumn("impressions"),
        TableColumn("use", numeric=False),
    ]
    last = max(rows_per_day, default="")
    rows = [
        (
            text_cell(day),
            text_cell(weekday(day)),
            TableCell(count(rows), rows),
            text_cell("held out" if day == last else "trained on"),
        )
        for day, rows in rows_per_day.items()
    ]
    return limited("days", columns, rows)


def settings(inputs: ReportInputs) -> Iterator[tuple[str, Markup]]:
    """Title and complete JSON text of each part of the config."""
    for part, values in {**inputs.manifest.config, "gates": inputs.gates}.items():
        if values:
            yield part, escape(json.dumps(values, indent=1))


def _feature_row(feature: FeatureComparison) -> tuple[TableCell, ...]:
    share = _share_of_limit(feature)
    tone: Tone = "" if share is None or share < 0.5 else "warn" if share <= 1.0 else "bad"
    show = percent if feature.what == "share of most frequent" else significant
    missing_growth = _difference(feature.missing)
    return (
        text_cell(feature.feature),
        TableCell(_change(feature.missing, percent), missing_growth),
        TableCell(_change(feature.typical, show), feature.typical[1], feature.what),
        TableCell(number(feature.distance, 4), feature.distance),
        TableCell(number(feature.drift, 4), feature.drift),
        TableCell(number(feature.limit, 2), feature.limit),
        TableCell(percent(share, 0), share, tone=tone, bar=None if share is None else min(1.0, share)),
        text_cell(feature.measure, "muted"),
    )


def _change(values: tuple[float | None, float | None], show: Any) -> str:
    before, after = (show(value) for value in values)
    return before if before == after else f"{before} → {after}"


def _difference(values: tuple[float | None, float | None]) -> float | None:
    return None if values[0] is None or values[1] is None else values[1] - values[0]


def _share_of_limit(feature: FeatureComparison) -> float | None:
    if feature.drift is None or not feature.limit:
        return None
    return feature.drift / feature.limit


def _objective_note(inputs: ReportInputs, name: str) -> str:
    """The objective's tower, and whether more of it is worse."""
    tower = f"{inputs.towers[name]} tower" if name in inputs.towers else ""
    return f"{tower}\nnegative: fewer is better" if name in inputs.negative else tower


def _forest_cell(inputs: ReportInputs, name: str) -> TableCell:
    references = inputs.evaluation.references.get(name)
    if references is None or references.forest is None:
        return _value(None)
    forest = references.forest
    others = f"O/E {number(forest.o_over_e.value)}\nNE {number(forest.normalized_entropy.value)}"
    return TableCell(number(forest.auc.value), defined(forest.auc.value), others)


def _observed_note(inputs: ReportInputs, name: str) -> str:
    share = inputs.evaluation.observed(name)
    return f"observed {percent(share, 1)}" if share < 1.0 else ""


def _base_rate_note(inputs: ReportInputs, name: str, trained: float | None) -> str:
    references = inputs.evaluation.references.get(name)
    predicted = references.base_rate if references is not None else None
    return "\n".join(
        [
            *([f"trained {percent(trained, 2)}"] if trained is not None else []),
            *([f"NE {number(predicted.normalized_entropy.value)}"] if predicted is not None else []),
        ]
    )


def _bounded(estimate: Estimate) -> TableCell:
    return TableCell(number(estimate.value), defined(estimate.value), interval(estimate))


def _serving_cells(evaluated: ObjectiveEvaluation) -> tuple[TableCell, TableCell, TableCell]:
    """The serving model's AUC, O/E and normalized entropy, with the candidate's differences."""
    serving, comparison = evaluated.baseline, evaluated.comparison
    drop = comparison.auc_drop if comparison else UNDEFINED
    growth = comparison.calibration_worsening if comparison else UNDEFINED
    entropy_growth = comparison.normalized_entropy_growth if comparison else UNDEFINED
    return (
        _compared(serving.auc.value if serving else None, "candidate", gain(drop)),
        _compared(serving.o_over_e.value if serving else None, "|log O/E|", growth),
        _compared(serving.normalized_entropy.value if serving else None, "candidate", entropy_growth),
    )


def _compared(value: float | None, what: str, difference: Estimate) -> TableCell:
    note = f"{what} {signed(difference.value)}\n{signed_interval(difference)}" if difference.defined else ""
    return TableCell(number(value), defined(value), note)


def _value(value: float | None, digits: int = 3) -> TableCell:
    return TableCell(number(value, digits), defined(value))
