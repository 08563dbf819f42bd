"""How much of what hidden tastes are worth do ids, histories and random effects bring?

    uv run python -m research.tastes [--quick] [--rows N] [--seeds N] [--page FILE] [--json FILE] [--work DIR]

In the simulated feed, viewers have lasting tastes that no column shows. An oracle ranks by the true expectations given
the tastes of viewers with enough logged impressions. The gap in utility between it and the features alone is what
can be gained by learning about single viewers.
"""
