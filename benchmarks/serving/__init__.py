"""Serving costs, compared with those of the usual alternatives; see `python -m benchmarks.serving --help`."""
