"""The names of the arms that are trained on the log, for the command line; `research.online.arms` has the arms."""

from research.quality.names import FORMER, OURS, TWO_TOWERS, XGBOOST

WITH_EFFECTS = "ours with random effects"
"""Our model, and random effects of viewers on it."""

MODEL_ARM_NAMES = (FORMER, TWO_TOWERS, XGBOOST, OURS, WITH_EFFECTS)
"""In the order of tables."""
