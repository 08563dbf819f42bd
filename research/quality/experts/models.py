"""Networks of other libraries on a held-out day: MMoE, PLE and DCN v2 (torch-rechub), and TabM (tabm).

MMoE: Ma et al., KDD 2018. PLE: Tang et al., RecSys 2020. DCN v2: Wang et al., WWW 2021. TabM: Gorishniy et al., ICLR
2025.
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

Kind = Literal["mmoe", "ple", "dcn", "tabm"]
Settings = dict[str, float]

_TRAIN = Path(__file__).with_name("train.py")
_TUNING_SEED = 0


def tuned(kind: Kind, day: HeldOutDay) -> Settings:
    """Learning rate and number of epochs: the best on held-out viewers of the training days.

    Args:
        kind: `mmoe`, multi-gate mixture of experts: experts shared by all objectives, a gate and a tower per objective;
            `ple`, progressive layered extraction: shared experts and experts per objective, in two levels; `dcn`, a
            cross network of three layers beside a deep one; or `tabm`, an ensemble of networks that share weights.
        day: with the training days' rows.
    """
    found: Settings = json.loads(_run(kind, day, {"seed": _TUNING_SEED}, python(), "settings.json").decode())
    return found


def predicted(kind: Kind, day: HeldOutDay, seed: int, settings: Settings) -> NDArray[np.float32]:
    """Probabilities [test rows, objectives] of the model with the settings that `tuned` found."""
    written = _run(kind, day, {"seed": seed, **settings}, python(), "probabilities.npy")
    found: NDArray[np.float32] = np.load(io.BytesIO(written))
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
        options = {"kind": kind, "vocabularies": vocabularies(train), **options}
        command = [str(interpreter), str(_TRAIN), str(rows), str(written), json.dumps(options)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{kind}: {' '.join(command)} failed:\n{done.stderr[-2000:]}")
        return written.read_bytes()
