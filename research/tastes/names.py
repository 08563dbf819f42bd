"""The names of the arms, for the command line; `research.tastes.study` has the arms."""

from research.forest_share.names import BOTH, HISTORIES, IDS

FEATURES, EFFECTS, ORACLE = "features alone", "random effects", "oracle"
LEARNABLE = "tastes as the log tells them"
ARMS = (IDS, HISTORIES, BOTH, EFFECTS)
"""The arms that learn about single viewers."""
