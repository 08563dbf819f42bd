"""The forest inside a TensorFlow graph: `bit_tables` lays it out, `leaves` traverses it."""

from ranker.forest.graph.leaves import ForestLeaves

__all__ = ["ForestLeaves"]
