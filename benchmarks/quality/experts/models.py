"""MMoE and PLE (torch-rechub) on a held-out day.

MMoE: Ma et al., KDD 2018. PLE: Tang et al., RecSys 2020.
"""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.experts.environment import python
from benchmarks.quality.experts.inputs import train_and_test, vocabularies
from benchmarks.quality.rows import HeldOutDay

_TRAIN = Path(__file__).with_name("train.py")


def mmoe(day: HeldOutDay, seed: int) -> NDArray[np.float32]:
    """Multi-gate mixture of experts: experts shared by all objectives, a gate and a tower for each."""
    return _trained("mmoe", day, seed, python())


def ple(day: HeldOutDay, seed: int) -> NDArray[np.float32]:
    """Progressive layered extraction: shared experts and experts of each objective, in two levels."""
    return _trained("ple", day, seed, python())


def _trained(kind: Literal["mmoe", "ple"], day: HeldOutDay, seed: int, interpreter: Path) -> NDArray[np.float32]:
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
        probabilities = Path(folder, "probabilities.npy")
        options = {"kind": kind, "seed": seed, "vocabularies": vocabularies(day.config.features)}
        command = [str(interpreter), str(_TRAIN), str(rows), str(probabilities), json.dumps(options)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{kind}: {' '.join(command)} failed:\n{done.stderr[-2000:]}")
        return np.load(probabilities)
