"""Evaluator: evaluates the candidate and the serving model on the eval split, applies the gates, and blesses."""
