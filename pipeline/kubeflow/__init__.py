"""Running the pipeline on open-source Kubeflow Pipelines 2.x: compiling it, submitting it, scheduling it."""
