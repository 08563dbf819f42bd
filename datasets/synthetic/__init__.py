"""The built-in feed: a simulator of a professional network's homepage, with the true probabilities of the outcomes."""

from datasets.synthetic.feed import DaySummary, generate

__all__ = ["DaySummary", "generate"]
