"""Runs every strategy once, and keeps its predictions, so that a stopped run continues."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from rich.console import Console

from ranker.arrays import read_arrays, write_arrays
from ranker.config.documents import to_json
from ranker.identity.code import code_fingerprint
from research.retraining.days import Replay
from research.retraining.strategies import STRATEGIES, DayModel, DayResult, first_model

_CODE = "research.retraining.strategies"
_DAY_ARRAYS = ("labels", "buckets", "probabilities")


def run_all(replay: Replay, seeds: Iterable[int], folder: Path, console: Console) -> list[dict[str, list[DayResult]]]:
    """The results per seed, by strategy and day.

    Args:
        replay: the replay.
        seeds: of the models.
        folder: for the results; those that are there already are read.
        console: shows the seconds of training.

    Raises:
        ValueError: a file in the folder is damaged; the message names it.
    """
    recipe = _recipe(replay)  # once: the code may be edited during a long run
    return [_run_seed(replay, seed, folder, recipe, console) for seed in seeds]


def _run_seed(replay: Replay, seed: int, folder: Path, recipe: str, console: Console) -> dict[str, list[DayResult]]:
    @cache
    def first() -> DayModel:
        # With the state that an incremental update needs; a warm start ignores it.
        return first_model(replay, "incremental", seed)[0]

    found = {}
    for name, strategy in STRATEGIES.items():
        file = folder / f"{replay.name}-{name}-{seed}-{recipe}.npz"
        if not file.is_file():
            _write(file, list(strategy(replay, first(), seed)))
        found[name] = _read(file)
        spent = sum(result.total_seconds for result in found[name])
        console.print(f"seed {seed}, {name}: {spent:.1f} s of training", highlight=False)
    return found


def _write(file: Path, results: Sequence[DayResult]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f"{i}.{name}": getattr(result, name) for i, result in enumerate(results) for name in _DAY_ARRAYS}
    write_arrays(str(file), {**arrays, "seconds": json.dumps([result.seconds for result in results])})


def _read(file: Path) -> list[DayResult]:
    with read_arrays(str(file), "retraining") as arrays:
        return [
            DayResult(**{name: arrays[f"{i}.{name}"] for name in _DAY_ARRAYS}, seconds=seconds)
            for i, seconds in enumerate(json.loads(str(arrays["seconds"])))
        ]


def _recipe(replay: Replay) -> str:
    """A fingerprint of everything that the results depend on."""
    digest = hashlib.sha256(f"{code_fingerprint(_CODE)}\0{to_json(replay.config)}".encode())
    for rows in (*(part for day in replay.days for part in (day.window, day.test, day.test_by_first)), *replay.seen):
        rows.add_to(digest)
    return digest.hexdigest()[:16]
