"""Rivals from torch-rechub and tabm, in a separate environment, because the project does not depend on PyTorch."""
