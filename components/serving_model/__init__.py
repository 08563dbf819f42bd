"""The model now serving, brought into the pipeline."""
