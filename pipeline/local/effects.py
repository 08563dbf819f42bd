"""`local_runner.py --effects`: updates the random effects of the serving model, with a schedule of its own."""

import shutil
from pathlib import Path

from rich.console import Console

from pipeline.local.run_summary import DONE, FAILED, NOT_BLESSED
from pipeline.local.workdir import Workdir
from ranker.command_line import UsageError, explained, in_markup, print_error
from ranker.config.pipeline import PipelineConfig
from ranker.documents import write_json
from ranker.effects_update.update import (
    SCRATCH_PREFIX,
    SUMMARY_FILE,
    EffectsSummary,
    EffectsUpdateError,
    update_serving_effects,
)
from ranker.files import write_text


def update_effects(
    config: PipelineConfig, workdir: Workdir, feed_log: str | Path, run_id: str, console: Console
) -> int:
    """Updates the effects of the serving model, and writes the summary `effects.json` into the run's folder.

    Args:
        config: the pipeline's.
        workdir: the working folder, locked.
        feed_log: path or URI of the feed log.
        run_id: name of the folder for the summary.
        console: shows the outcome.

    Returns:
        The exit status: 0 published, or nothing new to learn from; 1 the summary could not be written; 3 not published,
        because a gate failed or a rollback withdrew the update.

    Raises:
        UsageError: the config has no effects, no model serves, or it was exported with other effects.
        FeedLogError: a new day of the feed log is invalid.
    """
    for left in workdir.root.glob(f"{SCRATCH_PREFIX}*"):  # by an update that was killed, as the folder is locked
        shutil.rmtree(left, ignore_errors=True)
    try:
        summary = update_serving_effects(config, str(feed_log), workdir.push_destination, workdir.root)
    except EffectsUpdateError as error:
        raise UsageError(f"--effects: {error}") from None
    _print(summary, console)
    file = workdir.run(run_id) / SUMMARY_FILE
    try:
        write_text(file, write_json(summary, indent=2) + "\n")
    except OSError as error:
        # The effects may be published already, which the lines above say.
        print_error(f"{file}: the summary could not be written: {explained(error)}")
        return FAILED
    console.print(f"summary: {in_markup(file)}", soft_wrap=True, highlight=False)
    return NOT_BLESSED if summary.refused else DONE


def _print(summary: EffectsSummary, console: Console) -> None:
    if summary.judged:
        console.print(
            f"effects of version {summary.serving}: {summary.impressions:,} new impressions; judged on the "
            f"{summary.judged:,} from {summary.judged_from} on before they were fitted",
            soft_wrap=True,
            highlight=False,
        )
        for verdict in summary.verdicts:
            if verdict.part == "all" or verdict.outcome == "refused":
                console.print(in_markup(verdict.text), soft_wrap=True, highlight=False)
    if summary.pushed_model is not None:
        console.print(f"effects updated, pushed to {in_markup(summary.pushed_model)}", soft_wrap=True, highlight=False)
    else:
        console.print(
            f"nothing was published: {in_markup(str(summary.not_pushed))}; version {in_markup(summary.serving)} "
            "continues to serve",
            soft_wrap=True,
            highlight=False,
        )
