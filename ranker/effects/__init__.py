"""Random effects: regularised logistic regressions of single entities on top of a frozen model."""
