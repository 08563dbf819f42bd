"""The names of the variants, for command lines."""

IMPRESSIONS = "batches of impressions"
SESSIONS = "batches of sessions"
LISTWISE = ("listwise, 0.3", "listwise, 1", "listwise, 3")
UTILITY = ("listwise of the utility, 1", "listwise of the utility, 3", "listwise of the utility, 10")
PAIRWISE = ("pairwise, 0.3", "pairwise, 1")
JOINT = ("JRC, 0.1", "JRC, 1")
VARIANTS = (IMPRESSIONS, SESSIONS, *LISTWISE, *UTILITY, *PAIRWISE, *JOINT)
