"""All trainings of a study, in several processes; predictions are stored, so that a stopped run continues from them."""

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from ranker.config.documents import to_json
from ranker.config.pipeline import PipelineConfig
from ranker.identity.code import code_fingerprint
from research.processes import forking_context, quiet_on_one_thread
from research.quality.study import keep
from research.studies.preparing import load
from research.studies.studies import STUDIES
from research.studies.training import Probabilities, predict


@dataclass(frozen=True)
class VariantTraining:
    """One training of a study.

    Attributes:
        study, data, variant: by name, as a function cannot be sent to another process.
        day: folder of the prepared day.
        seed: of the towers.
        config: of the prepared day, with the trees of a quick run.
    """

    study: str
    data: str
    variant: str
    day: Path
    seed: int
    config: PipelineConfig = field(compare=False)

    def file(self, work: Path) -> Path:
        """The file of its predictions; its name contains everything that they depend on."""
        [variant] = [v for v in STUDIES[self.study].variants(self.data) if v.name == self.variant]
        changed = to_json(variant.change(self.config))
        code = code_fingerprint("research.quality.towers", "research.studies.training")
        parts = (self.day.name, changed, code, str(variant.dense_scale), str(variant.post_hoc), str(self.seed))
        return work / "studied" / f"{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:24]}.npy"


def run(
    trainings: Sequence[VariantTraining], work: Path, processes: int, console: Console
) -> Mapping[VariantTraining, Probabilities]:
    """Predictions of all trainings. Each process uses one thread, which gives a higher throughput than two."""
    # Computed once: the file names depend on the code, which may be edited during a long run.
    files = {training: training.file(work) for training in trainings}
    missing = [training for training in trainings if not files[training].is_file()]
    # Sorted by day, so that a process rarely has to load another day.
    missing.sort(key=lambda training: str(training.day))
    if missing:
        context = forking_context()
        with ProcessPoolExecutor(processes, mp_context=context, initializer=quiet_on_one_thread) as pool:
            started = [pool.submit(_train, training, files[training]) for training in missing]
            for future in track(as_completed(started), "training the variants", len(started), console=console):
                future.result()
    return {training: np.load(file) for training, file in files.items()}


def _train(training: VariantTraining, file: Path) -> None:
    [variant] = [v for v in STUDIES[training.study].variants(training.data) if v.name == training.variant]
    keep(file, predict(load(training.day), variant, training.seed))
