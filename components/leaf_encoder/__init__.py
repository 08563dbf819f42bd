"""LeafEncoder: transformed examples → the same rows with leaves instead of the forest's features."""
