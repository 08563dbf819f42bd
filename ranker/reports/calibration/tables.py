"""The report's tables, from plain data."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ranker.reports.calibration.inputs import Document, FeatureHealth, ReportInputs
from ranker.reports.calibration.reliability import merged
from ranker.reports.html_table import Cell, Column, Table, Tone, limited, text_cell
from ranker.reports.text import count, interval, number, percent, significant, weekday

_NE = Column(
    "NE", "normalized entropy: log loss over the entropy of the base rate; below 1 is better than the base rate"
)
_ECE = Column("ECE", "expected calibration error: mean gap of the reliability diagram")
_SERVING = (
    Column("serving AUC", "of the model now serving; below it by how much the candidate's is lower"),
    Column("serving O/E", "of the model now serving; below it by how much the candidate's |log O/E| is larger"),
    Column("serving NE", "of the model now serving"),
)


def objectives_table(inputs: ReportInputs) -> Table:
    """One row per objective: metrics with intervals, the serving model's beside them, and the gate."""
    towers = {o["name"]: o["tower"] for o in inputs.manifest.get("config", {}).get("objectives", [])}
    columns = [
        Column("objective", numeric=False),
        Column("AUC", "area under the ROC curve; below it the interval over viewers"),
        Column("O/E", "outcomes observed per outcome expected; below it the interval over viewers"),
        Column("gates", "over all impressions", numeric=False),
        _NE,
        *(_SERVING if inputs.compared else ()),
        Column("positives", "impressions with the outcome on the held-out day"),
        Column("base rate", "share of positives on the held-out day; below it the share in training"),
        _ECE,
    ]
    rows = []
    for name, metrics in inputs.evaluation["objectives"].items():
        rate = metrics["positives"] / metrics["impressions"] if metrics["impressions"] else None
        trained = inputs.base_rates.get(name)
        gate, tone = _gate(inputs.evaluation, name)
        rows.append(
            (
                Cell(name, name, f"{towers[name]} tower" if name in towers else ""),
                _bounded(metrics, "auc"),
                _bounded(metrics, "o_over_e"),
                text_cell(gate, tone),
                Cell(
                    number(metrics["normalized_entropy"]),
                    metrics["normalized_entropy"],
                    f"{number(metrics['log_loss'], 4)} nats",
                ),
                *(_serving_cells(metrics) if inputs.compared else ()),
                Cell(count(metrics["positives"]), metrics["positives"]),
                Cell(percent(rate, 2), rate, "" if trained is None else f"trained {percent(trained, 2)}"),
                _value(metrics["expected_calibration_error"], 4),
            )
        )
    return Table("objectives", tuple(columns), tuple(rows))


def bins_table(inputs: ReportInputs) -> Table:
    """One row per bin of every reliability diagram."""
    columns = [
        Column("objective", numeric=False),
        Column("predicted from", "least prediction of the bin"),
        Column("impressions"),
        Column("positives"),
        Column("expected", "sum of the predictions"),
        Column("mean predicted"),
        Column("observed", "share of positives"),
    ]
    rows = []
    for name, curves in inputs.evaluation["curves"].items():
        for low, impressions, positives, expected in zip(*merged(curves["candidate"]["reliability"]), strict=True):
            if impressions:
                rows.append(
                    (
                        text_cell(name),
                        Cell(percent(low, 2), low),
                        Cell(count(impressions), impressions),
                        Cell(count(positives), positives),
                        Cell(number(expected, 1), expected),
                        Cell(percent(expected / impressions, 2), expected / impressions),
                        Cell(percent(positives / impressions, 2), positives / impressions),
                    )
                )
    return limited("bins", columns, rows)


def slices_table(inputs: ReportInputs) -> Table:
    """One row per objective and slice, those with the most positives first."""
    columns = [
        Column("slice", numeric=False),
        Column("objective", numeric=False),
        Column("impressions"),
        Column("positives"),
        Column("AUC"),
        *([Column("serving AUC")] if inputs.compared else []),
        Column("O/E"),
        *([Column("serving O/E")] if inputs.compared else []),
        _NE,
        _ECE,
    ]
    entries = [
        (entry["name"], objective, metrics)
        for entry in inputs.evaluation["slices"]
        for objective, metrics in entry["objectives"].items()
    ]
    entries.sort(key=lambda entry: -entry[2]["positives"])
    rows = []
    for name, objective, metrics in entries:
        serving = metrics.get("baseline", {})
        rows.append(
            (
                text_cell(name),
                text_cell(objective),
                Cell(count(metrics["impressions"]), metrics["impressions"]),
                Cell(count(metrics["positives"]), metrics["positives"]),
                _bounded(metrics, "auc"),
                *((_value(serving.get("auc")),) if inputs.compared else ()),
                _bounded(metrics, "o_over_e"),
                *((_value(serving.get("o_over_e")),) if inputs.compared else ()),
                _value(metrics["normalized_entropy"]),
                _value(metrics["expected_calibration_error"], 4),
            )
        )
    return limited("slices", columns, rows)


def gates_table(inputs: ReportInputs) -> Table:
    """Every verdict over all impressions, and those on slices that failed."""
    columns = [
        Column("objective", numeric=False),
        Column("slice", numeric=False),
        Column("metric", numeric=False),
        Column("value"),
        Column("limit", numeric=False),
        Column("outcome", numeric=False),
    ]
    rows = []
    for v in inputs.evaluation["verdicts"]:
        bounds = {"x": v["value"], "x_lower": v["lower"], "x_upper": v["upper"]}
        failed = v["outcome"] == "failed"
        tone: Tone = "bad" if failed and v["blocking"] else "good" if v["passed"] else "warn"
        outcome = f"{v['outcome']}, informs only" if failed and not v["blocking"] else v["outcome"]
        rows.append(
            (
                text_cell(v["objective"]),
                text_cell(v["slice"] or "all impressions"),
                text_cell(v["metric"]),
                Cell(number(v["value"]), v["value"], interval(bounds, "x")),
                text_cell(_limit(v["limit"])),
                text_cell(outcome, tone),
            )
        )
    return limited("gates", columns, rows)


def features_table(inputs: ReportInputs, name: str, most: int) -> Table:
    """One row per feature, those nearest to their drift limit first, at most `most` of them."""
    columns = [
        Column("feature", numeric=False),
        Column("missing", "share of impressions without a value: training → held-out day"),
        Column("typical value", "mean, or share of the most frequent value: training → held-out day"),
        Column("drift", "distance of the held-out day from the training window"),
        Column("limit", "the schema's"),
        Column("share of limit", "drift over its limit"),
        Column("measure", numeric=False),
    ]
    features = sorted(inputs.features, key=lambda f: -(_share_of_limit(f) or 0.0))
    return limited(name, columns, [_feature_row(f) for f in features], most)


def days_table(rows_per_day: Mapping[str, int]) -> Table:
    """Rows of every day, the held-out one last."""
    columns = [
        Column("day", numeric=False),
        Column("weekday", numeric=False),
        Column("impressions"),
        Column("use", numeric=False),
    ]
    last = max(rows_per_day, default="")
    rows = [
        (
            text_cell(day),
            text_cell(weekday(day)),
            Cell(count(rows), rows),
            text_cell("held out" if day == last else "trained on"),
        )
        for day, rows in rows_per_day.items()
    ]
    return limited("days", columns, rows)


def settings(inputs: ReportInputs) -> Iterator[tuple[str, str]]:
    """Title and JSON text of every part of the config."""
    for part, values in {**inputs.manifest.get("config", {}), "gates": inputs.gates}.items():
        if values:
            yield part, json.dumps(values, indent=1)


def _feature_row(feature: FeatureHealth) -> tuple[Cell, ...]:
    share = _share_of_limit(feature)
    tone: Tone = "" if share is None or share < 0.5 else "warn" if share <= 1.0 else "bad"
    show = percent if feature.what == "share of most frequent" else significant
    missing_growth = _difference(feature.missing)
    return (
        text_cell(feature.feature),
        Cell(_change(feature.missing, percent), missing_growth),
        Cell(_change(feature.typical, show), feature.typical[1], feature.what),
        Cell(number(feature.drift, 4), feature.drift),
        Cell(number(feature.limit, 2), feature.limit),
        Cell(percent(share, 0), share, tone=tone, bar=None if share is None else min(1.0, share)),
        text_cell(feature.measure, "muted"),
    )


def _change(values: tuple[float | None, float | None], show: Any) -> str:
    before, after = (show(value) for value in values)
    return before if before == after else f"{before} → {after}"


def _difference(values: tuple[float | None, float | None]) -> float | None:
    return None if values[0] is None or values[1] is None else values[1] - values[0]


def _share_of_limit(feature: FeatureHealth) -> float | None:
    if feature.drift is None or not feature.limit:
        return None
    return feature.drift / feature.limit


def _bounded(metrics: Document, name: str) -> Cell:
    value = metrics.get(name)
    return Cell(number(value), value, interval(metrics, name))


def _serving_cells(metrics: Document) -> tuple[Cell, Cell, Cell]:
    """The serving model's AUC, O/E and normalized entropy, and how the candidate differs."""
    serving = metrics.get("baseline", {})
    auc, o_over_e = serving.get("auc"), serving.get("o_over_e")
    drop, growth = metrics.get("auc_drop"), metrics.get("calibration_worsening")
    return (
        Cell(number(auc), auc, "" if drop is None else f"drop {number(drop)}\n{interval(metrics, 'auc_drop')}"),
        Cell(
            number(o_over_e),
            o_over_e,
            "" if growth is None else f"growth {number(growth)}\n{interval(metrics, 'calibration_worsening')}",
        ),
        _value(serving.get("normalized_entropy")),
    )


def _value(value: float | None, digits: int = 3) -> Cell:
    return Cell(number(value, digits), value)


def _limit(limit: list[float | None]) -> str:
    low, high = limit
    if low is None:
        return f"at most {high:g}"
    return f"at least {low:g}" if high is None else f"{low:g} to {high:g}"


def _gate(evaluation: Document, objective: str) -> tuple[str, Tone]:
    verdicts = [v for v in evaluation["verdicts"] if v["objective"] == objective and not v["slice"]]
    failed = [v["metric"] for v in verdicts if v["outcome"] == "failed"]
    if failed:
        return f"failed: {', '.join(failed)}", "bad"
    if any(v["outcome"] == "not evaluated" for v in verdicts):
        return "not evaluated", "warn"
    return ("passed", "good") if verdicts else ("none", "muted")
