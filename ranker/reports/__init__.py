"""HTML pages and SVG figures: the calibration report of a run, and the monitor over days."""
