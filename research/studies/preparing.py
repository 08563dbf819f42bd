"""The rows and the forest of a held-out day, on disk for the processes that train on them."""

import hashlib
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from ranker.config.documents import from_json, to_json
from ranker.config.pipeline import PipelineConfig
from ranker.files import atomic_folder
from ranker.forest.model import Forest
from ranker.forest.refit import refitted
from ranker.forest.train import train_forest
from ranker.forest.traverse import Traversal
from ranker.identity.code import code_fingerprint
from research.quality.rows import HeldOutDay, Rows, held_out_day
from research.quality.towers import Leaves

_CONFIG, _DONE = "config.json", "done"
_FOREST, _BEFORE_CALIBRATION = "forest", "forest-before-calibration"
_SPLITS = ("train", "test")


@dataclass(frozen=True, eq=False)
class PreparedDay:
    """A held-out day with the towers' inputs, without the forest's features.

    Attributes:
        day: config and rows.
        forest: the forest; the same for all seeds of the towers.
        before_calibration: the same forest with leaf values that are fitted without the held-out viewers.
        leaves: of the training rows and of the held-out rows.
    """

    day: HeldOutDay
    forest: Forest
    before_calibration: Forest
    leaves: Leaves


def prepare(
    config: PipelineConfig, rows_config: PipelineConfig, log: Path, day: date, work: Path, console: Console
) -> Path:
    """Prepares a day, unless `work` has it already; returns its folder, for `load`.

    Args:
        config: for the forest; the variants change it.
        rows_config: for the rows; the same for all forests of a study, which share the rows.
        log: the feed log.
        day: the held-out day.
        work: folder of pipeline runs and prepared days.
        console: shows progress.

    Raises:
        RuntimeError: a component failed.
    """
    held_out = replace(held_out_day(rows_config, log, day, work / f"{config.name}-{day}", console), config=config)
    parts = (str(held_out.source), to_json(config), code_fingerprint("research.studies.preparing"))
    folder = work / "prepared" / hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    if (folder / _DONE).exists():
        return folder
    console.print(f"{day}: training the forest")
    names, objectives = config.features.forest_names, config.objective_names
    forest, _ = train_forest(held_out.train.batches(), config.forest, names, objectives)
    traversal = Traversal(forest)
    with atomic_folder(folder, replace=True) as made:
        forest.save(str(made / _FOREST))
        without_held_out(forest, held_out, made).save(str(made / _BEFORE_CALIBRATION))
        for name, rows in zip(_SPLITS, (held_out.train, held_out.test), strict=True):
            leaves = traversal(rows.features).astype(np.int32)
            arrays: dict[str, Any] = {f"towers.{tensor}": values for tensor, values in rows.towers.items()}
            np.savez(made / f"{name}.npz", leaves=leaves, labels=rows.labels, buckets=rows.buckets, **arrays)
        (made / _CONFIG).write_text(to_json(config))
        (made / _DONE).write_text(day.isoformat())
    return folder


def without_held_out(forest: Forest, day: HeldOutDay, scratch: Path) -> Forest:
    """The forest with leaf values fitted on the training rows without the held-out viewers."""
    others = ~day.validation
    rows = [(day.train.features[others], day.train.labels[others])]
    return refitted(forest, rows, day.config.forest.learning_rate, scratch)


@lru_cache(maxsize=1)
def load(folder: Path) -> PreparedDay:
    """Reads the folder that `prepare` wrote."""
    config = from_json(PipelineConfig, (folder / _CONFIG).read_text())
    rows, leaves = [], []
    for name in _SPLITS:
        with np.load(folder / f"{name}.npz") as arrays:
            towers = {key.removeprefix("towers."): arrays[key] for key in arrays if key.startswith("towers.")}
            none = np.zeros([len(arrays["labels"]), 0], np.float32)
            rows.append(Rows(none, towers, arrays["labels"], arrays["buckets"]))
            leaves.append(arrays["leaves"])
    day = HeldOutDay(config, date.fromisoformat((folder / _DONE).read_text()), folder, rows[0], rows[1])
    forest, before = (Forest.load(str(folder / name)) for name in (_FOREST, _BEFORE_CALIBRATION))
    return PreparedDay(day, forest, before, (leaves[0], leaves[1]))


def scaled(day: HeldOutDay, scale: float) -> HeldOutDay:
    """The day with every dense embedding multiplied."""
    if scale == 1.0:
        return day
    names = [feature.name for feature in day.config.features.dense]

    def of(rows: Rows) -> Rows:
        return replace(rows, towers={**rows.towers, **{name: scale * rows.towers[name] for name in names}})

    return replace(day, train=of(day.train), test=of(day.test))
