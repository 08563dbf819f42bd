"""The built-in feed: a simulator of a professional network's homepage, with the true probabilities beside the log."""

from datasets.synthetic.feed import DaySummary, generate

__all__ = ["DaySummary", "generate"]
