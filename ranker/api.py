"""`ranker.train`: one call from a feed log to a model."""

import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

from ranker.config.pipeline import PipelineConfig
from ranker.feed_log.layout import latest_day, parse_day
from ranker.scoring.loading import load_model
from ranker.scoring.model import Model
from ranker.storage import join
from ranker.training.run import run_training


def train(
    config: PipelineConfig,
    feed_log: str | Path,
    day: date | str | None = None,
    folder: str | Path | None = None,
) -> Model:
    """Trains a model on the days before `day`, as the pipeline does; the same data gives the same model.

    The pipeline also validates the data against the limits of its schema, compares the model with the one that serves,
    and publishes it if its gates pass. This does none of it: it fits, and `Model.evaluate` measures. It fits no random
    effects either, as their offsets are those of models that were pushed before.

    Args:
        config: such as `pipeline_config.FEED`.
        feed_log: the folder of day folders, a path or URI.
        day: the held-out day, as a date or YYYY-MM-DD; the `train_days` before it are trained on. None for the newest.
        folder: a new folder for the model, a path or URI. None writes it to a temporary folder, which is deleted
            together with the returned object; `Model.save` copies it.

    Returns:
        The model, with its training history as `history`.

    Raises:
        FeedLogError: the feed log is invalid, or has no such day.
        ValueError: config, schema and feed log do not belong together.
        TrainingDivergedError: the loss became NaN or infinite, or exploded.
        FileExistsError: there is something at `folder` already.

    Example:
        >>> from pipeline_config import FEED
        >>> model = ranker.train(FEED, "feed_log", "2026-01-12")
        >>> model.score(pd.read_parquet("feed_log/day-2026-01-12"))
    """
    held_out = parse_day(day) if isinstance(day, str) else day or latest_day(feed_log)
    temporary = None
    if folder is None:
        temporary = tempfile.TemporaryDirectory(prefix="feed-ranker-model-")
        folder = join(temporary.name, "model")
    history = run_training(config, feed_log, held_out, str(folder))
    return Model(replace(load_model(folder), temporary=temporary), history)
