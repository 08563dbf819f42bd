"""Feed log in, Examples out. Only `component` and `executor` need TFX; the other modules are plain functions."""
