"""Seeds of the network's initializers and dropout, all derived from one."""

import numpy as np


class Seeds:
    """Hands every initializer a seed of its own, all derived from one, without touching global generators."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def next(self) -> int:
        """The next seed."""
        return int(self._generator.integers(2**31 - 1))
