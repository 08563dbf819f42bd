"""Health over days: O/E per objective and slice, drift of features and of scores. Uses no TFX."""
