"""Are the probabilities calibrated where sessions are shown in random order, with and without the exposure model?

uv run python -m research.random_order [--quick] [--rows N] [--seeds N] [--page FILE] [--json FILE] [--work DIR]
"""
