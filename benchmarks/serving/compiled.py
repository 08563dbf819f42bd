"""Other programs that run XGBoost's models: Treelite's C code by tl2cgen, and ONNX Runtime.

    PYTHON -m benchmarks.serving.compiled FOLDER THREADS

They need packages that this project does not, so they run in a worker with an interpreter of its own, whose environment
has `treelite`, `tl2cgen`, `onnxmltools`, `onnxruntime` and `xgboost`, and a C compiler. The worker reads the models and
a matrix from the folder, and answers each line with a program's name by the seconds of one session.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

TREELITE, ONNX = "treelite", "onnxruntime"

_MATRIX, _READY = "matrix.npy", "ready"


class CompiledForests:
    """One model per objective in a worker; a context manager.

    Args:
        python: the worker's interpreter.
        boosters: XGBoost's models.
        matrix: float32 [candidates, features].
        threads: of each program.
        folder: an empty folder.

    Raises:
        RuntimeError: the worker failed.
    """

    def __init__(self, python: str, boosters: Sequence[Any], matrix: Any, threads: int, folder: Path) -> None:
        for number, booster in enumerate(boosters):
            booster.save_model(folder / f"{number}.ubj")
        np.save(folder / _MATRIX, matrix)
        command = [python, "-m", "benchmarks.serving.compiled", str(folder), str(threads)]
        self._worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer(_READY)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._worker.stdin is not None:
            self._worker.stdin.close()
        self._worker.wait()

    def score(self, program: str) -> float:
        """Scores the session once with every model; returns the seconds that it took in the worker."""
        assert self._worker.stdin is not None
        self._worker.stdin.write(f"{program}\n")
        self._worker.stdin.flush()
        return float(self._answer(program))

    def _answer(self, wanted: str) -> str:
        assert self._worker.stdout is not None
        for line in self._worker.stdout:
            # The programs print messages of their own.
            if line.startswith(f"{wanted} "):
                return line.split()[1]
        raise RuntimeError(f"the worker for {TREELITE} and {ONNX} failed")


def _treelite(folder: Path, models: Sequence[Path], matrix: Any, threads: int) -> Callable[[], object]:
    import tl2cgen
    import treelite

    predictors = []
    for model in models:
        library = folder / f"{model.stem}.so"
        parsed = treelite.frontend.load_xgboost_model(str(model))
        tl2cgen.export_lib(parsed, toolchain="gcc", libpath=str(library), params={}, verbose=False)
        predictors.append(tl2cgen.Predictor(str(library), nthread=threads))
    return lambda: [predictor.predict(tl2cgen.DMatrix(matrix)) for predictor in predictors]


def _onnx(models: Sequence[Path], matrix: Any, threads: int) -> Callable[[], object]:
    import onnxmltools
    import onnxruntime
    import xgboost as xgb
    from onnxmltools.convert.common.data_types import FloatTensorType

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = threads
    # Its threads would otherwise wait in busy loops while another side is measured.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    types = [("x", FloatTensorType([None, matrix.shape[1]]))]
    sessions = []
    for model in models:
        booster = xgb.Booster(model_file=str(model))
        booster.feature_names = None
        converted = onnxmltools.convert_xgboost(booster, initial_types=types)
        sessions.append(onnxruntime.InferenceSession(converted.SerializeToString(), settings))
    return lambda: [session.run(["probabilities"], {"x": matrix}) for session in sessions]


def main(folder: Path, threads: int) -> None:
    """The worker."""
    matrix = np.load(folder / _MATRIX)
    models = sorted(folder.glob("*.ubj"))
    programs = {TREELITE: _treelite(folder, models, matrix, threads), ONNX: _onnx(models, matrix, threads)}
    for run in programs.values():
        run()
    print(f"{_READY} 0", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        programs[line.strip()]()
        print(f"{line.strip()} {time.perf_counter() - start}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
