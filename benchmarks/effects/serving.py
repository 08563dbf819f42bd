"""Serving: a session's candidates scored with effects of millions of entities, compared with none."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.harness import Figure, alternate
from benchmarks.serving.sessions import CANDIDATES, Tensors, Workshop
from ranker.config.effects import EffectLevel, Effects
from ranker.effects.state import Basis, EffectState
from ranker.effects.table import EffectTable
from ranker.export.effects import replace_effects
from ranker.export.saved_model import export_saved_model
from ranker.features.fingerprints import fingerprints_of
from ranker.registry.manifest import Manifest

LIMIT = 1.10

_ENTITIES, _QUICK_ENTITIES = 1_000_000, 10_000
_ROUNDS, _QUICK_ROUNDS = 200, 10
_WARM_UP = 20
EFFECTS = Effects(
    levels=(
        EffectLevel("viewer_id", inputs=("content_embedding",), min_rows=1),
        EffectLevel("author_id", min_rows=1),
        EffectLevel("item_id", min_rows=1),
    ),
    components=7,
)
"""The viewer's effect has eight coefficients per objective, those of author and item are an intercept."""


def session_cost(workshop: Workshop, work: Path, quick: bool) -> Figure:
    """The figure, of `score_features`. The session has one viewer; one candidate in ten is of an unknown author."""
    entities = _QUICK_ENTITIES if quick else _ENTITIES
    objectives = len(workshop.config.objectives)
    plain, with_effects = work / "plain", work / "with-effects"
    export_saved_model(workshop.ranker(objectives), Manifest(), str(plain))
    export_saved_model(workshop.ranker(objectives, EFFECTS), Manifest(), str(with_effects))
    state = _state(objectives, entities, workshop)
    replace_effects(with_effects, EFFECTS, workshop.config.features, state, "")
    loaded, seconds = {}, {}
    for folder in (plain, with_effects):
        start = time.perf_counter()
        loaded[folder] = tf.saved_model.load(str(folder))
        seconds[folder] = time.perf_counter() - start
    features = workshop.session().features
    ids = _ids(entities)

    def without() -> Any:
        return loaded[plain].signatures["score_features"](**features)

    def with_them() -> Any:
        return loaded[with_effects].signatures["score_features"](**features, **ids)

    for _ in range(_WARM_UP):
        without(), with_them()
    taken = alternate({"with": with_them, "without": without}, _QUICK_ROUNDS if quick else _ROUNDS)
    size = sum(file.stat().st_size for file in (with_effects / "variables").iterdir())
    return Figure(
        "session_with_effects_over_without",
        ours=1000 * taken["with"],
        rival=1000 * taken["without"],
        unit="ms",
        target=LIMIT,
        target_is_least=False,
        note=f"score_features, {CANDIDATES} candidates, {objectives} objectives; effects of {entities:,} viewers with "
        f"{1 + EFFECTS.components} coefficients per objective and of as many authors and items with one. Variables of "
        f"{size / 1e6:,.0f} MB; loading takes {seconds[with_effects]:.1f} s instead of {seconds[plain]:.1f} s",
    )


def _state(objectives: int, entities: int, workshop: Workshop) -> EffectState:
    random = np.random.default_rng(1)
    [embedding] = workshop.config.features.dense
    components = random.normal(size=(embedding.size, EFFECTS.components)).astype(np.float32)
    basis = Basis({embedding.name: (np.zeros(embedding.size, np.float32), components)}, {})
    tables = []
    for level in EFFECTS.levels:
        ids = np.unique(fingerprints_of(_names(level.column, range(entities))))
        mean = random.normal(0, 0.1, (len(ids), objectives, 1 + (EFFECTS.components if level.inputs else 0)))
        tables.append(
            EffectTable(ids, mean.astype(np.float32), np.zeros_like(mean, np.float32), np.ones(len(ids), np.float32))
        )
    return EffectState("", 0, (), basis, tuple(tables))


def _ids(entities: int) -> Tensors:
    random = np.random.default_rng(2)
    authors = random.integers(0, int(entities / 0.9), CANDIDATES)
    return {
        "viewer_id": tf.constant(_names("viewer_id", [7] * CANDIDATES)),
        "author_id": tf.constant(_names("author_id", authors)),
        "item_id": tf.constant(_names("item_id", random.integers(0, entities, CANDIDATES))),
    }


def _names(column: str, numbers: Any) -> list[str]:
    return [f"{column}-{number}" for number in numbers]
