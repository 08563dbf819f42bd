"""The two-tower network on leaf embeddings: its shape, its input, and how it is fitted."""
