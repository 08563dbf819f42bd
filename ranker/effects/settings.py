"""What the coefficients of effects depend on beside the impressions; needs no TensorFlow."""

from collections.abc import Sequence

from ranker.config.documents import to_json
from ranker.config.effects import Effects
from ranker.identity.digest import short_digest


def effect_settings(effects: Effects, objectives: Sequence[str]) -> str:
    """The fingerprint of the settings that coefficients depend on.

    Variances, the fewest rows, forgetting and gates may change from one fit to the next.
    """
    levels = [(level.column, level.inputs) for level in effects.levels]
    return short_digest((to_json(levels), str(effects.components), str(effects.categories), *objectives))
