"""Statistics against the curated schema; an anomaly fails the run."""
