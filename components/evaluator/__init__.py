"""Evaluator: the candidate and the serving model on the eval split, the gates, and the blessing."""
