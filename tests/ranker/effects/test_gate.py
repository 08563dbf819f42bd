"""The gate of updated effects."""

import numpy as np
import pytest

from ranker.config.effects import EffectLevel
from ranker.effects.entities import LevelSettings
from ranker.effects.gate import LossGate, LossVerdict
from ranker.effects.rows import UNOBSERVED, Rows, RowShape
from ranker.effects.table import EffectTable

LEVELS = (EffectLevel("viewer_id", min_rows=10),)
SETTINGS = (LevelSettings(0, (), (0.1,)),)
ENTITIES = 200


def _table(effects: np.ndarray) -> EffectTable:
    """The first half of the entities has 30 impressions, the other half 15, and the last one too few."""
    rows = np.where(np.arange(len(effects)) < len(effects) // 2, 30.0, 15.0).astype(np.float32)
    rows[-1] = 3.0
    mean = effects.astype(np.float32)[:, None, None]
    return EffectTable(np.arange(len(effects)), mean, np.full_like(mean, 0.1), rows)


def _rows(true: np.ndarray, seed: int = 1, count: int = 20_000) -> Rows:
    random = np.random.default_rng(seed)
    ids = random.integers(0, ENTITIES + 50, count)  # the last 50 are unknown
    offset = random.normal(-1, 1, count)
    effect = np.append(true, np.zeros(50))[ids]
    y = random.random(count) < 1 / (1 + np.exp(-offset - effect))
    return RowShape(1, 0, 1).rows(ids[:, None], np.zeros((count, 0)), y[:, None], offset[:, None])


def _verdicts(served: np.ndarray, candidate: np.ndarray, rows: Rows, limit: float = 0.0) -> dict[str, LossVerdict]:
    gate = LossGate(LEVELS, SETTINGS, [_table(served)], [_table(candidate)])
    for start in range(0, len(rows), 3000):
        gate.add(rows[start : start + 3000])
    assert gate.changed_without_effect == 0
    return {verdict.part: verdict for verdict in gate.verdicts(["click"], limit)}


def test_effects_nearer_to_the_truth_pass_and_their_growth_is_the_losses_ratio() -> None:
    true = np.random.default_rng(2).normal(0, 0.7, ENTITIES)
    rows = _rows(true)
    found = _verdicts(np.zeros(ENTITIES), true, rows)
    assert {part: verdict.outcome for part, verdict in found.items()} == {
        "all": "passed",
        "viewer_id many": "passed",
        "viewer_id few": "passed",
    }
    effect = np.append(np.append(true[:-1], 0.0), np.zeros(50))[rows["ids"][:, 0]]
    z, y = rows["offset"][:, 0].astype(float), rows["y"][:, 0]
    served = (np.logaddexp(0, z) - y * z).sum()
    candidate = (np.logaddexp(0, z + effect) - y * (z + effect)).sum()
    assert found["all"].growth == pytest.approx(candidate / served - 1, rel=1e-4)
    assert found["all"].upper is not None
    assert found["all"].upper < 0
    known = rows["ids"][:, 0]
    assert found["viewer_id many"].impressions == (known < ENTITIES // 2).sum()
    assert found["viewer_id few"].impressions == ((known >= ENTITIES // 2) & (known < ENTITIES - 1)).sum()


def test_effects_that_harm_entities_with_few_impressions_are_refused_for_these() -> None:
    true = np.zeros(ENTITIES)
    harmful = np.where(np.arange(ENTITIES) < ENTITIES // 2, 0.0, np.random.default_rng(3).normal(0, 1.0, ENTITIES))
    found = _verdicts(true, harmful, _rows(true))
    assert found["viewer_id few"].outcome == "refused"
    assert found["viewer_id many"].outcome == "passed"
    assert found["viewer_id many"].growth == 0.0
    assert "viewer_id few: cross entropy +" in found["viewer_id few"].text
    assert _verdicts(true, harmful, _rows(true), limit=0.5)["viewer_id few"].outcome == "passed"


def test_effects_that_are_no_worse_are_seldom_refused() -> None:
    true = np.random.default_rng(4).normal(0, 0.5, ENTITIES)
    noise = np.random.default_rng(5)
    refused = 0
    for seed in range(40):
        # Equally far from the truth, in different directions.
        one, other = true + noise.normal(0, 0.3, ENTITIES), true + noise.normal(0, 0.3, ENTITIES)
        found = _verdicts(one, other, _rows(true, seed, count=3000))
        refused += any(verdict.outcome == "refused" for verdict in found.values())
    assert refused <= 6


def test_outcomes_that_were_not_observed_do_not_count() -> None:
    true = np.random.default_rng(6).normal(0, 0.7, ENTITIES)
    rows = _rows(true)
    rows["y"][:] = UNOBSERVED
    found = _verdicts(np.zeros(ENTITIES), true, rows)
    assert {verdict.outcome for verdict in found.values()} == {"too few"}
    assert found["all"].growth is None
    assert "no interval" in found["all"].text


def test_every_objective_is_judged_on_its_own_outcomes() -> None:
    true = np.random.default_rng(7).normal(0, 0.7, ENTITIES)
    first, second = _rows(true), _rows(-true, seed=2)
    shape = RowShape(1, 0, 2)
    y = np.concatenate([first["y"], np.where(first["y"] == 1, 0, second["y"])], axis=1)
    offset = np.repeat(first["offset"], 2, axis=1)
    rows = shape.rows(first["ids"], np.zeros((len(first), 0)), y, offset)
    zero, effects = np.zeros(ENTITIES), _table(true)
    one, two = _table(zero), effects
    served = EffectTable(one.ids, np.repeat(one.mean, 2, axis=1), np.repeat(one.variance, 2, axis=1), one.rows)
    updated = EffectTable(two.ids, np.repeat(two.mean, 2, axis=1), np.repeat(two.variance, 2, axis=1), two.rows)
    gate = LossGate(LEVELS, SETTINGS, [served], [updated])
    gate.add(rows)
    found = {(verdict.objective, verdict.part): verdict for verdict in gate.verdicts(["click", "hide"], 0.0)}
    assert found["click", "all"].impressions == found["hide", "all"].impressions == len(rows)
    assert found["click", "all"].outcome == "passed"
    assert found["hide", "all"].outcome == "refused"
