"""The model now serving, brought into the pipeline. `lookup` needs no TFX."""
