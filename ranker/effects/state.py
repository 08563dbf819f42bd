"""The fitted effects of all levels as files: what serving reads, and what a later fit continues from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.arrays import read_arrays, write_arrays
from ranker.effects.table import EffectTable
from ranker.storage import join

_FILE = "effects.npz"
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Basis:
    """What the inputs of the regressions are. It stays the same from fit to fit, as coefficients refer to it.

    Attributes:
        projections: dense embedding → (mean [size], components [size, n]); an embedding without its mean, times the
            components, has variance 1 in every dimension.
        categories: categorical feature → the values that have an indicator.
    """

    projections: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
    categories: dict[str, tuple[bytes, ...]]

    def width(self, feature: str) -> int:
        """Number of inputs that a feature becomes."""
        if feature in self.projections:
            return int(self.projections[feature][1].shape[1])
        return len(self.categories[feature])


@dataclass(frozen=True, eq=False)
class EffectState:
    """The effects of all levels.

    Attributes:
        settings: fingerprint of the settings that the coefficients depend on; another one starts from nothing.
        through: milliseconds since 1970; all impressions before were trained on, if they could be.
        days: YYYY-MM-DD, oldest first, of the impressions trained on.
        basis: what the inputs are.
        tables: of each level.
    """

    settings: str
    through: int
    days: tuple[str, ...]
    basis: Basis
    tables: tuple[EffectTable, ...]

    def save(self, folder: str) -> None:
        """Writes one file into `folder`, a path or URI."""
        arrays: dict[str, Any] = {
            "format": np.array(_FORMAT),
            "settings": np.array(self.settings),
            "through": np.array(self.through),
            "days": np.array(self.days, dtype="U10"),
            "levels": np.array(len(self.tables)),
        }
        for name, (mean, components) in self.basis.projections.items():
            arrays[f"mean/{name}"], arrays[f"components/{name}"] = mean, components
        for name, values in self.basis.categories.items():
            # As numbers, as numpy drops zero bytes at the end of strings.
            arrays[f"category/{name}"] = np.frombuffer(b"\n".join(values), np.uint8)
        for number, table in enumerate(self.tables):
            for part in ("ids", "mean", "variance", "rows"):
                arrays[f"level/{number}/{part}"] = getattr(table, part)
        write_arrays(join(folder, _FILE), arrays)

    @staticmethod
    def load(folder: str) -> "EffectState":
        """Reads what `save` wrote.

        Raises:
            ValueError: the file is missing, corrupt or of another format; the message names it.
        """
        with read_arrays(join(folder, _FILE), "effects", _FORMAT) as arrays:
            tables = tuple(
                EffectTable(*(arrays[f"level/{number}/{part}"] for part in ("ids", "mean", "variance", "rows")))
                for number in range(int(arrays["levels"]))
            )
            return EffectState(
                str(arrays["settings"]),
                int(arrays["through"]),
                tuple(arrays["days"].tolist()),
                _basis(arrays),
                tables,
            )


def _basis(arrays: Any) -> Basis:
    def named(prefix: str) -> dict[str, Any]:
        return {key.removeprefix(prefix): arrays[key] for key in arrays.files if key.startswith(prefix)}

    means, components = named("mean/"), named("components/")
    return Basis(
        {name: (means[name], components[name]) for name in means},
        {name: tuple(found.tobytes().split(b"\n")) if len(found) else () for name, found in named("category/").items()},
    )
