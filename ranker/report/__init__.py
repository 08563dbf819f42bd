"""The calibration report: what a run found, as one HTML page. Knows nothing of TFX."""
