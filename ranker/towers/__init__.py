"""The two-tower network on leaf embeddings: architecture, input and training."""
