"""The quality of our model compared with the usual alternatives, on the same rows and features.

    uv run python -m research.quality [--quick] [--data kuairand|feed] [--seeds N] [--work DIR] [--json FILE] \\
        [--page FILE]

Every model is trained on the days before a held-out day and predicts that day's impressions. Predictions are stored in
the work folder at once, so a stopped run continues from them.
"""
