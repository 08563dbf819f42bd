"""The page of an experiment that tunes the trade-off."""
