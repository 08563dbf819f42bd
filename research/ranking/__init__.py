"""Choices of the config, and losses of whole sessions, judged by how the model ranks."""
