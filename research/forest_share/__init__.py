"""How much of the forest can go, with ids and histories of viewers in its place: the retention curve.

    uv run python -m research.forest_share [--quick] [--data feed] [--rows N] [--page FILE] [--json FILE] [--work DIR]

The model is trained with 1, 1/2, 1/4, 1/10 and none of the config's trees, and with nothing, ids, histories or both
beside the features of its config.
"""
