"""The ranker as a library that knows nothing of TFX: it is imported by components, pipeline, serving and datasets."""
