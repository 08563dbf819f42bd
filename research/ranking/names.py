"""The names of what is compared, for command lines."""

from collections.abc import Mapping
from types import MappingProxyType

BASE = "as configured"
"""The config as it is, with which all others are compared."""

SESSIONS = "batches of sessions"
LISTWISE = ("listwise, 0.3", "listwise, 1", "listwise, 3")
UTILITY = ("listwise of the utility, 1", "listwise of the utility, 3", "listwise of the utility, 10")
PAIRWISE = ("pairwise, 0.3", "pairwise, 1")
JOINT = ("JRC, 0.1", "JRC, 1")
LOSSES = (SESSIONS, *LISTWISE, *UTILITY, *PAIRWISE, *JOINT)

CHOICES = (
    "no distillation",
    "distillation the same for all objectives",
    "no share of the forest's own prediction",
    "no categorical embeddings",
    "no cross layer",
    "no dropout of leaves",
    "no ensemble",
    "twice the epochs at half the rate",
)
"""From the study `choices` of `research.studies`."""

FORESTS = (
    "half as many trees at most",
    "depth of 3",
    "depth of 6",
    "labels alone",
    "labels alone, forest of any engagement",
)
"""From its study `forest`."""

FADING: Mapping[str, int] = MappingProxyType(
    {f"distillation that fades {factor} times as fast": factor for factor in (4, 16)}
)
"""How fast distillation fades with the positives: the divisor of the config's `distillation_half_positives`."""

PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"losses": LOSSES, "defaults": (*CHOICES, *FORESTS), "distillation": tuple(FADING)}
)
"""What a run compares → its variants beside `BASE`."""
