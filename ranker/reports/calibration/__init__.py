"""The calibration report of one run."""
