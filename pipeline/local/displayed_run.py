"""A full run of one day, with a line per component on the terminal."""

from rich.console import Console

from pipeline.beam import beam_args
from pipeline.beam_endpoints import check_endpoints
from pipeline.local.console import RunDisplay
from pipeline.local.dag_runner import ComponentRun, State
from pipeline.local.day_plan import DayPlan
from pipeline.local.day_run import prepare, run_day
from pipeline.local.run_summary import RunSummary
from pipeline.local.summary import rows_read, split_rows


def run_displayed(plan: DayPlan, run_id: str, console: Console) -> RunSummary:
    """Runs a planned day; see `run_day`.

    Args:
        plan: the planned run.
        run_id: name of the folder for the summary and the report.
        console: shows the progress.

    Raises:
        EndpointError: the runner's job service or its worker pool does not answer.
    """
    check_endpoints(beam_args(plan.config.beam_pipeline_args))
    prepared = prepare(plan)
    display = RunDisplay(console, [component.id for component in prepared.pipeline.components])
    finished: list[ComponentRun] = []

    def on_end(run: ComponentRun) -> None:
        finished.append(run)
        rows = rows_read(run.component, split_rows(finished)) if run.state is not State.FAILED else None
        display.end(run.component, run.state.value, run.seconds, rows)

    with display.live():
        return run_day(prepared, run_id, display.start, on_end)
