"""An A/B test in the simulator: several arms rank the same sessions, and their engagement is compared.

    uv run python -m research.online ahead [--quick] [--behaviour default former] [--json FILE] [--page FILE]

Every arm is trained on the log of the production ranker, and ranks the sessions of the next day.
"""
