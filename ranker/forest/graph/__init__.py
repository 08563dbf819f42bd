"""The forest inside a TensorFlow graph: `tables` lays it out, `leaves` walks it."""

from ranker.forest.graph.leaves import ForestLeaves

__all__ = ["ForestLeaves"]
