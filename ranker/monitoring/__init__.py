"""Health over days: O/E per objective and slice, drift of features, shift of scores. Knows nothing of TFX."""
