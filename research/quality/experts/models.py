"""MMoE and PLE (torch-rechub) on a held-out day.

MMoE: Ma et al., KDD 2018. PLE: Tang et al., RecSys 2020.
"""

import io
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from research.quality.experts.environment import python
from research.quality.experts.inputs import train_and_test, vocabularies
from research.quality.rows import HeldOutDay

Kind = Literal["mmoe", "ple"]

_TRAIN = Path(__file__).with_name("train.py")
_TUNING_SEED = 0


def tuned_mmoe(day: HeldOutDay) -> dict[str, int]:
    """The number of epochs: the best on held-out viewers of the training days."""
    return _tuned("mmoe", day, python())


def mmoe(day: HeldOutDay, seed: int, tuned: dict[str, int]) -> NDArray[np.float32]:
    """Multi-gate mixture of experts: experts shared by all objectives, a gate and a tower per objective."""
    return _trained("mmoe", day, seed, tuned, python())


def tuned_ple(day: HeldOutDay) -> dict[str, int]:
    """The number of epochs: the best on held-out viewers of the training days."""
    return _tuned("ple", day, python())


def ple(day: HeldOutDay, seed: int, tuned: dict[str, int]) -> NDArray[np.float32]:
    """Progressive layered extraction: shared experts and experts per objective, in two levels."""
    return _trained("ple", day, seed, tuned, python())


def _tuned(kind: Kind, day: HeldOutDay, interpreter: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads(_run(kind, day, {"seed": _TUNING_SEED}, interpreter, "settings.json").decode())
    return found


def _trained(kind: Kind, day: HeldOutDay, seed: int, tuned: dict[str, int], interpreter: Path) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.load(
        io.BytesIO(_run(kind, day, {"seed": seed, **tuned}, interpreter, "probabilities.npy"))
    )
    return found


def _run(kind: Kind, day: HeldOutDay, options: dict[str, Any], interpreter: Path, output: str) -> bytes:
    """The output of `train.py`."""
    train, test = train_and_test(day)
    with tempfile.TemporaryDirectory(prefix="experts-") as folder:
        rows = Path(folder, "rows.npz")
        np.savez(
            rows,
            dense=train.dense,
            codes=train.codes,
            labels=day.train.labels,
            held_out=day.validation,
            test_dense=test.dense,
            test_codes=test.codes,
        )
        written = Path(folder, output)
        options = {"kind": kind, "vocabularies": vocabularies(day.config.features), **options}
        command = [str(interpreter), str(_TRAIN), str(rows), str(written), json.dumps(options)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{kind}: {' '.join(command)} failed:\n{done.stderr[-2000:]}")
        return written.read_bytes()
