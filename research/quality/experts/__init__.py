"""Rivals from torch-rechub, in an environment of their own: PyTorch is nothing that the project needs."""
