"""How well our model predicts, compared with what a user would pick instead, on the same rows and features.

    uv run python -m research.quality [--quick] [--data kuairand|feed] [--seeds N] [--work DIR] [--json FILE] \\
        [--page FILE]

Every model is trained on the days before a held-out day and predicts that day's impressions. Predictions are kept in
the work folder as they are made, so that a stopped run continues from them.
"""
