"""The names of the arms that are trained on the log, for the command line; `research.online.arms` has the arms."""

from research.quality.names import FORMER, OURS, TWO_TOWERS, WITH_EFFECTS, XGBOOST

MODEL_ARM_NAMES = (FORMER, TWO_TOWERS, XGBOOST, OURS, WITH_EFFECTS)
"""In the order of tables."""
