"""CalibrationReport: everything that a run found out about its model, as one HTML page."""
