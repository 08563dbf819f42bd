"""The built-in feed's config, and that of smoke tests."""

from dataclasses import replace

from pipeline_config import FEED
from ranker.config.pipeline import PipelineConfig


def feed_config(quick: bool) -> PipelineConfig:
    """The built-in feed's config, or that of a smoke test."""
    return quick_config() if quick else FEED


def quick_config(trees: int = 60) -> PipelineConfig:
    """The built-in feed's config with a small forest, and towers trained for a few steps."""
    forest, training = replace(FEED.forest, trees=trees), replace(FEED.training, epochs=1, batch_size=256)
    return replace(FEED, forest=forest, training=training)
