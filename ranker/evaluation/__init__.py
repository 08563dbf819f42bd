"""Metrics of a multi-objective ranker over impressions and within sessions, their intervals, and the gates on them.

A pass over the impressions fills an `accumulator.Accumulator`; `summary.summarize` computes metrics with intervals per
slice and objective from it; `gates.judge` computes the verdicts from the metrics. This package uses no TFX, TFMA or
Beam.
"""
