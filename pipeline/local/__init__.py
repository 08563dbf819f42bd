"""Runs the pipeline on one machine: the working folder, the run, its terminal output and its summary."""
