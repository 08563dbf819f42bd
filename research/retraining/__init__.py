"""Cost and quality of continuing from yesterday's model, compared with training a new one every day.

    uv run python -m research.retraining [--quick] [--data kuairand|feed] [--work DIR] [--json FILE] [--page FILE]

Replays the last days of a log. Every strategy starts from the same first model, trains every day, and predicts the next
day, which no model has seen. Nothing is mocked: rows come from the pipeline's own components, up to Transform, and
forests and towers are trained by the functions that the pipeline calls.
"""
