"""The steps of a training without TFX, which the pipeline's components and the Python API share."""
