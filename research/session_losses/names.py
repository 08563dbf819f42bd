"""The names of the variants, for command lines."""

IMPRESSIONS = "batches of impressions"
SESSIONS = "batches of sessions"
LISTWISE = ("listwise, 0.3", "listwise, 1")
PAIRWISE = ("pairwise, 0.3", "pairwise, 1")
JOINT = ("JRC, 0.1", "JRC, 1")
VARIANTS = (IMPRESSIONS, SESSIONS, *LISTWISE, *PAIRWISE, *JOINT)
