"""What the self-tuning trade-off is worth: experiments in the simulator, compared with other ways to choose settings.

uv run python -m research.tradeoff [--quick] [--seeds N] [--json FILE] [--page FILE]
"""
