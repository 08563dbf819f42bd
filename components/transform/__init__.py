"""Transform: TFX's Transform, which can also reuse the graph of an earlier run."""
