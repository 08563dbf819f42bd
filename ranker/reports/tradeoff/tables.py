"""The tables of an experiment's page."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from ranker.reports.html_table import Table, TableCell, TableColumn, Tone, limited, text_cell
from ranker.reports.text import NOTHING, count, number
from ranker.tradeoff.experiment import ArmResult, Experiment
from ranker.tradeoff.measurements import OVERALL
from ranker.tradeoff.metrics import Metric


def percentage(share: float) -> str:
    """A share in percent: `95 %`; between 99.5 and 100 % one decimal more."""
    shown = 100.0 * share
    return f"{shown:.1f} %" if 99.5 <= shown < 99.95 else f"{shown:.0f} %"


def change(mean: float, deviation: float, confidence: float = 0.95) -> str:
    """A relative change with the half width of its interval: `+1.2 % ± 0.4`."""
    half = 100.0 * float(ndtri(0.5 + 0.5 * confidence)) * deviation
    return f"{signed(mean)} ± {half:.1f}"


def signed(mean: float) -> str:
    """A relative change: `+1.2 %`."""
    if not math.isfinite(mean):
        return NOTHING
    return f"{round(100.0 * mean, 1) + 0.0:+.1f} %".replace("-", "−")


def limits_of(metric: Metric) -> str:
    """The limits of a guarded metric's change."""
    parts = [("≥", metric.lower), ("≤", metric.upper)]
    return " and ".join(f"{sign} {signed(limit)}" for sign, limit in parts if math.isfinite(limit))


def results_table(experiment: Experiment) -> Table:
    """What every arm did, the newest version first."""
    by_cohort = experiment.tradeoff.by is not None
    columns = [
        TableColumn("arm", "version and number; number 0 is the current setting", numeric=False),
        *([TableColumn("cohort", f"value of {experiment.tradeoff.by}", numeric=False)] if by_cohort else []),
        TableColumn("setting", numeric=False),
        TableColumn("viewers", "at least so many; a viewer of several days counts once per day"),
        TableColumn("sessions"),
        *(
            TableColumn(
                metric.name, "rate per session; below it the measured change relative to arm 0, with a 95 % interval"
            )
            for metric in experiment.metrics.all
        ),
    ]
    rows = [tuple(_result_cells(experiment, result, by_cohort)) for result in reversed(experiment.results)]
    return limited("results", columns, rows)


def beliefs_table(experiment: Experiment) -> Table:
    """What is believed about every tested setting, all measurements considered."""
    metrics = experiment.metrics
    columns = [
        TableColumn("setting", numeric=False),
        *(
            TableColumn(metric.name, "expected change relative to arm 0, with a 95 % interval")
            for metric in metrics.all
        ),
        TableColumn("guardrails hold", "probability that all guardrails hold"),
        TableColumn("better", "probability that the goal is above arm 0's"),
    ]
    settings = {str(of.arm.setting): of.arm.setting for of in experiment.results if of.changes is not None}
    rows = []
    if settings:
        points = [experiment.space.point(setting) for setting in settings.values()]
        for name, found in zip(settings, experiment.optimiser.judge(np.stack(points), OVERALL), strict=True):
            rows.append(
                (
                    text_cell(name),
                    *(
                        TableCell(
                            change(mean, deviation), float(mean), tone=_tone(metric, float(mean), float(deviation))
                        )
                        for metric, mean, deviation in zip(metrics.all, found.means, found.deviations, strict=True)
                    ),
                    TableCell(percentage(found.holds), found.holds),
                    TableCell(percentage(found.better), found.better),
                )
            )
    return limited("beliefs", columns, rows)


def decisions_table(experiment: Experiment) -> Table:
    """What to ship, by cohort."""
    columns = [
        TableColumn("cohort", numeric=False),
        TableColumn("setting to ship", numeric=False),
        *(TableColumn(metric.name, "expected change, with a 95 % interval") for metric in experiment.metrics.all),
        TableColumn("guardrails hold", "probability that all guardrails hold"),
    ]
    rows = []
    for cohort, found in experiment.shipped().items():
        name = cohort or ("others" if experiment.cohorts else "all viewers")
        if found is None:
            empty = (TableCell(NOTHING),) * (len(experiment.metrics.all) + 1)
            rows.append((text_cell(name), text_cell(f"the current one: {experiment.space.current}"), *empty))
            continue
        rows.append(
            (
                text_cell(name),
                text_cell(str(experiment.space.setting(found.point)), "good"),
                *(
                    TableCell(change(mean, deviation), float(mean))
                    for mean, deviation in zip(found.means, found.deviations, strict=True)
                ),
                TableCell(percentage(found.holds), found.holds),
            )
        )
    return limited("decisions", columns, rows)


def _result_cells(experiment: Experiment, result: ArmResult, by_cohort: bool) -> Sequence[TableCell]:
    label = f"{result.version}, {result.arm.id.rpartition('-')[2]}"
    cells = [
        text_cell(label),
        *([text_cell(result.cohort or NOTHING)] if by_cohort else []),
        text_cell(str(result.arm.setting)),
        TableCell(count(result.sums.viewers), result.sums.viewers),
        TableCell(count(sum(result.sums.sessions)), sum(result.sums.sessions)),
    ]
    for index, metric in enumerate(experiment.metrics.all):
        if result.rates is None:
            cells.append(TableCell(NOTHING, note="too few viewers"))
            continue
        rate = result.rates.values[index]
        if result.changes is None or result.deviations is None:
            cells.append(TableCell(number(rate, 4), rate))
            continue
        measured, deviation = result.changes[index], result.deviations[index]
        cells.append(TableCell(number(rate, 4), rate, change(measured, deviation), _tone(metric, measured, deviation)))
    return cells


def _tone(metric: Metric, mean: float, deviation: float) -> Tone:
    """Good where the limits hold at the metric's confidence, bad where they do not at the same confidence."""
    held = float(metric.probability(np.array(mean), np.array(deviation)))
    if held >= metric.confidence:
        return "good"
    return "bad" if held <= 1.0 - metric.confidence else ""
