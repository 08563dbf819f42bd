"""What is varied, for command lines: shares of the forest's trees, and what is read beside the features."""

SHARES = (1.0, 0.5, 0.25, 0.1, 0.0)
NOTHING, IDS, HISTORIES, BOTH = INPUTS = ("nothing", "ids", "histories", "both")
