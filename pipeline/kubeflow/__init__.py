"""Compiles, submits and schedules the pipeline on open-source Kubeflow Pipelines 2.x."""
