"""Rivals from torch-rechub, in a separate environment, because the project does not depend on PyTorch."""
