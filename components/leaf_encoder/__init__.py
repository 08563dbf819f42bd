"""LeafEncoder: transformed examples → the same rows with leaves in place of the forest's features."""
