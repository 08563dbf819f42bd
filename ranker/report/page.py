"""Puts figures and tables into the page."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ranker.report import content
from ranker.report.figures.drawing import Drawing
from ranker.report.figures.heatmap import heat_map
from ranker.report.figures.reliability import reliability_diagram
from ranker.report.figures.scores import score_distribution
from ranker.report.figures.slices import auc_by_slice
from ranker.report.figures.training import forest_curve, learning_rate, rows_per_day, tower_loss, tower_objectives
from ranker.report.inputs import ReportInputs
from ranker.report.svg import OE_STEPS
from ranker.report.tables import MAX_ROWS
from ranker.report.verdict import verdict

TEMPLATES = Path(__file__).parent / "templates"
MAX_OBJECTIVES = 20
"""Objectives with figures of their own; the tables hold all."""
MOST_DRIFTED = 10
"""Features shown at once; the others are folded away."""


def report_page(inputs: ReportInputs) -> str:
    """The calibration report as one HTML document that needs nothing else."""
    evaluation = inputs.evaluation
    drawn = inputs.objectives[:MAX_OBJECTIVES]
    least_auc = {v["objective"]: v["limit"][0] for v in evaluation["verdicts"] if v["metric"] == "auc"}
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            inputs=inputs,
            verdict=verdict(inputs),
            oe_steps=OE_STEPS,
            day=max(inputs.rows_per_day, default=inputs.manifest.get("eval_day", "")),
            confidence=f"{100 * evaluation['confidence']:g} %",
            objectives=content.objectives_table(inputs),
            gates=content.gates_table(inputs),
            reliability=[
                reliability_diagram(name, evaluation["curves"][name], evaluation["confidence"]) for name in drawn
            ],
            bins=content.bins_table(inputs),
            heat_map=heat_map(evaluation) if evaluation["slices"] else None,
            auc=[auc_by_slice(name, evaluation, least_auc.get(name)) for name in drawn] if evaluation["slices"] else [],
            slices=content.slices_table(inputs),
            scores=[score_distribution(name, evaluation["curves"][name]) for name in drawn],
            training=_training(inputs),
            drifted=content.features_table(inputs, "drifted", MOST_DRIFTED),
            features=content.features_table(inputs, "features", MAX_ROWS),
            days=content.days_table(inputs.rows_per_day),
            day_figure=rows_per_day(inputs.rows_per_day) if inputs.rows_per_day else None,
            settings=list(content.settings(inputs)),
        )
    )


def environment() -> Environment:
    """Where the templates are, with HTML escaped and a missing name an error."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _training(inputs: ReportInputs) -> list[Drawing]:
    history = inputs.tower_history
    towers = {o["name"]: o["tower"] for o in inputs.manifest.get("config", {}).get("objectives", [])}
    return [
        *([forest_curve(inputs.forest_curve)] if inputs.forest_curve else []),
        tower_loss(history),
        tower_objectives(history, inputs.base_rates, towers),
        learning_rate(history),
    ]
