"""BatchScorer's executor: finds the day's files and scores them by Beam."""

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_beam_executor

from ranker.feed_log.day import resolve_day
from ranker.feed_log.layout import day_folder_name
from ranker.scoring.beam import score_with_beam
from ranker.storage import join


class Executor(base_beam_executor.BaseBeamExecutor):
    """See `component.BatchScorer`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Scores the day.

        Raises:
            FeedLogError: a file lacks a column, or has a value that its column may not hold.
            ModelError: there is no pushed model, or it cannot be loaded.
            UsageError: the feed log has no files of the day.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        day = day_folder_name(resolve_day(exec_properties["day"]))
        score_with_beam(
            self._make_beam_pipeline,
            exec_properties["push_destination"],
            join(exec_properties["feed_log"], day),
            join(exec_properties["scores"], day),
            # A retry, and a run that is repeated with a newer model, replace the scores of the day.
            replace=True,
        )
