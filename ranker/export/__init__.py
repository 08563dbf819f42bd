"""The SavedModel: raw features, the forest, the towers and the ranking score in one graph, and its signatures."""
