"""Validates statistics against the curated schema; an anomaly of severity ERROR fails the run."""
