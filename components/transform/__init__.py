"""TFX's Transform, which can also transform by the graph of an earlier run."""
