"""Verdict: tells by its success whether a model that was not to be pushed is blessed."""
