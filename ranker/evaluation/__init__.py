"""Metrics of a multi-objective ranker from mergeable histograms, their intervals, and the gates on them.

A pass over the impressions fills an `accumulator.Accumulator`; `summary.summarize` turns it into metrics with intervals
per slice and objective; `gates.judge` turns those into verdicts. Nothing here knows TFX, TFMA or Beam.
"""
