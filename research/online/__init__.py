"""An A/B test in the simulator: several arms rank the same sessions, and their engagement is compared.

    uv run python -m research.online ahead [--quick] [--behaviour default former] [--json FILE] [--page FILE]
    uv run python -m research.online loop [--quick] [--work DIR] [--json FILE] [--page FILE]

`ahead`: every arm is trained on the log of the production ranker, and ranks the sessions of the next day.
`loop`: every arm ranks each day with a model of its own log, so its own choices decide what it learns from.
"""
