"""O/E by slice, from Transform's codes."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from ranker.config.columns import Categorical, Features
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from research.quality.rows import HeldOutDay, Rows
from research.quality.slices import LEAST_POSITIVES, cells, slices_of

CONFIG = PipelineConfig(
    name="tiny",
    objectives=(Objective("click", "passive"), Objective("like", "active")),
    features=Features(numeric=("age",), categorical=(Categorical("device"), Categorical("kind"))),
    schema="schemas/tiny.pbtxt",
    slices=(("device",), ("kind", "device")),
)


def day(devices: list[float], kinds: list[float]) -> HeldOutDay:
    features = np.stack([np.zeros(len(devices)), devices, kinds], axis=1).astype(np.float32)
    rows = Rows(features, {}, np.zeros((len(devices), 2), np.float32), np.zeros(len(devices), np.int64))
    vocabularies = {"device": ("phone", "desktop"), "kind": ("text",)}
    return HeldOutDay(CONFIG, date(2026, 1, 2), Path("tiny"), rows, rows, vocabularies)


def test_codes_are_named_with_what_is_not_kept_and_what_is_missing_apart() -> None:
    found = slices_of(day([0, 1, 2, np.nan], [0, 0, 1, np.nan]))
    assert found[("device",)].tolist() == ["device=phone", "device=desktop", "device=(others)", "device=(missing)"]
    assert found[("kind", "device")].tolist() == [
        "kind=text, device=phone",
        "kind=text, device=desktop",
        "kind=(others), device=(others)",
        "kind=(missing), device=(missing)",
    ]


def test_a_slice_has_the_o_over_e_of_its_own_rows_and_none_with_too_few_positives() -> None:
    each = 2 * LEAST_POSITIVES
    names: dict[tuple[str, ...], np.ndarray] = {
        ("device",): np.array(["device=phone"] * each + ["device=desktop"] * each)
    }
    labels = np.zeros((2 * each, 2), np.float32)
    labels[:each:2, 0] = 1  # enough on the phone
    labels[each : each + 3, 0] = 1  # too few on the desktop
    ours = np.full((2, 2 * each, 2), 0.25, np.float32)
    ours[1] = 0.5
    [cell] = cells(names, CONFIG.objective_names, labels, {"ours": ours})
    assert (cell.slice, cell.objective, cell.positives) == ("device=phone", "click", LEAST_POSITIVES)
    assert cell.o_over_e["ours"] == pytest.approx((2 + 1) / 2)
