"""Renders the page with its figures and tables."""

from ranker.reports.calibration import columns, ranking
from ranker.reports.calibration import tables as content
from ranker.reports.calibration.contributions import contribution_tables
from ranker.reports.calibration.headline import verdict
from ranker.reports.calibration.inputs import ReportInputs
from ranker.reports.calibration.reliability import reliability_diagram
from ranker.reports.calibration.scores import score_distribution
from ranker.reports.calibration.slices import auc_by_slice
from ranker.reports.calibration.training import forest_curve, learning_rate, rows_per_day, tower_loss, tower_objectives
from ranker.reports.figures.drawing import Drawing
from ranker.reports.figures.heatmap import heat_map
from ranker.reports.html import MAX_OBJECTIVES, environment
from ranker.reports.html_table import MAX_ROWS
from ranker.reports.svg import OE_STEPS

MOST_GAINS = 15
"""Number of columns whose gain is shown at first; the others are folded."""

MOST_DRIFTED = 10
"""Number of features shown at first; the others are folded."""


def report_page(inputs: ReportInputs) -> str:
    """The calibration report as one self-contained HTML document."""
    evaluation = inputs.evaluation
    drawn = inputs.objectives[:MAX_OBJECTIVES]
    least_auc = {v.objective: v.limit[0] for v in evaluation.verdicts if v.metric == "auc"}
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            inputs=inputs,
            verdict=verdict(inputs),
            oe_steps=OE_STEPS,
            day=max(inputs.rows_per_day, default=inputs.manifest.eval_day),
            confidence=f"{100 * evaluation.confidence:g} %",
            ranking=ranking.ranking_table(inputs),
            ranking_slices=ranking.ranking_slices_table(inputs),
            explanations=list(ranking.explanations(inputs)),
            ranking_notes=ranking.notes(inputs),
            objectives=content.objectives_table(inputs),
            gates=content.gates_table(inputs),
            reliability=[reliability_diagram(name, evaluation.curves[name], evaluation.confidence) for name in drawn],
            bins=content.bins_table(inputs),
            heat_map=heat_map(evaluation) if evaluation.slices else None,
            auc=[auc_by_slice(name, evaluation, least_auc.get(name)) for name in drawn] if evaluation.slices else [],
            slices=content.slices_table(inputs),
            scores=[score_distribution(name, evaluation.curves[name]) for name in drawn],
            training=_training(inputs),
            leaks=columns.leaks_table(inputs),
            top_gains=columns.gains_table(inputs, "gains", MOST_GAINS),
            gains=columns.gains_table(inputs, "all-gains", MAX_ROWS),
            groups=columns.groups_table(inputs),
            column_notes=list(columns.notes(inputs)),
            contributions=contribution_tables(inputs),
            drifted=content.features_table(inputs, "drifted", MOST_DRIFTED),
            features=content.features_table(inputs, "features", MAX_ROWS),
            days=content.days_table(inputs.rows_per_day),
            day_figure=rows_per_day(inputs.rows_per_day) if inputs.rows_per_day else None,
            settings=list(content.settings(inputs)),
        )
    )


def _training(inputs: ReportInputs) -> list[Drawing]:
    history = inputs.tower_history
    return [
        *([forest_curve(inputs.forest_curve)] if inputs.forest_curve and inputs.forest_curve.train else []),
        tower_loss(history),
        tower_objectives(history, inputs.base_rates, inputs.towers),
        learning_rate(history),
    ]
