"""Permutation importance of a model whose use of each column is known."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit

from ranker.evaluation.importance import MOST_GROUPS, OTHERS, column_groups
from ranker.evaluation.permutation import permutation_importance

ROWS = 1500
GROUPS = {"strong and weak": ("strong", "weak"), "weak": ("weak",), "unused": ("unused", "text")}
OBJECTIVES = ("click", "like")


def examples(viewers: int = 200) -> list[bytes]:
    """The click depends on `strong`, which every fifth row lacks, and a little on `weak`; the like on nothing."""
    random = np.random.default_rng(1)
    rows = []
    for _ in range(ROWS):
        strong, weak, unused = random.normal(size=3)
        lacks = random.random() < 0.2
        click = random.random() < expit(2.0 * strong * (not lacks) + 0.3 * weak)
        floats = {"weak": weak, "unused": unused} | ({} if lacks else {"strong": strong})
        feature = {name: tf.train.Feature(float_list=tf.train.FloatList(value=[x])) for name, x in floats.items()}
        feature["text"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"a"]))
        viewer = f"viewer-{random.integers(viewers)}".encode()
        feature["viewer"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[viewer]))
        for name, label in (("click", click), ("like", random.random() < 0.3)):
            feature[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[int(label)]))
        rows.append(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    return rows


def score(batch: list[bytes]) -> dict[str, np.ndarray]:
    spec = {name: tf.io.FixedLenFeature([], tf.float32, 0.0) for name in ("strong", "weak", "unused")}
    parsed = tf.io.parse_example(tf.constant(batch), spec)
    click = expit(2.0 * parsed["strong"].numpy() + 0.3 * parsed["weak"].numpy())
    return {"click": click, "like": np.full(len(batch), 0.3, np.float32)}


def test_a_group_costs_what_the_model_gets_from_it() -> None:
    found = permutation_importance(score, examples(), GROUPS, OBJECTIVES, "viewer", 0.95)
    assert [(group.name, group.columns) for group in found] == list(GROUPS.items())
    strong, weak, unused = (group.growth["click"] for group in found)
    assert strong.lower > 0.3
    assert strong.lower < strong.value < strong.upper
    assert 0.0 < weak.value < 0.1 * strong.value
    assert unused.value == unused.lower == unused.upper == 0.0
    assert all(group.growth["like"].value == 0.0 for group in found)


@pytest.mark.slow
def test_a_shuffled_row_has_the_columns_of_one_other_row_and_keeps_the_rest() -> None:
    batches: list[list[bytes]] = []

    def seen(batch: list[bytes]) -> dict[str, np.ndarray]:
        batches.append(batch)
        return score(batch)

    permutation_importance(seen, examples(), GROUPS, OBJECTIVES, "viewer", 0.95)
    before, together = ([tf.train.Example.FromString(row).features.feature for row in batch] for batch in batches[:2])

    def pairs(rows: list[Any]) -> list[Any]:
        # To read a key that the map lacks would add it.
        return [(row["strong"].float_list.value[:] if "strong" in row else None, row["weak"]) for row in rows]

    def sorted_pairs(rows: list[Any]) -> list[str]:
        return sorted(map(str, pairs(rows)))

    assert sorted_pairs(together) == sorted_pairs(before)
    assert pairs(together) != pairs(before)
    assert any("strong" not in row for row in together)
    for own, shuffled in zip(before, together, strict=True):
        for column in ("unused", "text", "viewer", "click", "like"):
            assert shuffled[column] == own[column]


def test_it_is_the_same_every_time() -> None:
    first, second = (permutation_importance(score, examples(), GROUPS, OBJECTIVES, "viewer", 0.95) for _ in range(2))
    assert first == second


def test_one_viewer_gives_no_interval() -> None:
    [group] = permutation_importance(score, examples(viewers=1), {"all": ("strong",)}, OBJECTIVES, "viewer", 0.95)
    assert group.growth["click"].lower == -np.inf


def test_columns_are_grouped_by_the_first_word_of_their_names() -> None:
    columns = ["viewer_age", "hour", "item_age", "viewer_country", "item_likes", "device"]
    assert column_groups(columns) == {
        "viewer_…": ("viewer_age", "viewer_country"),
        "hour": ("hour",),
        "item_…": ("item_age", "item_likes"),
        "device": ("device",),
    }


@pytest.mark.parametrize("single", [MOST_GROUPS - 1, MOST_GROUPS, 3 * MOST_GROUPS])
def test_beyond_the_limit_single_columns_are_joined(single: int) -> None:
    columns = ["user_a", *(f"c{i}" for i in range(single)), "user_b"]
    groups = column_groups(columns)
    assert len(groups) == min(single + 1, MOST_GROUPS)
    assert sorted(column for of in groups.values() for column in of) == sorted(columns)
    assert groups["user_…"] == ("user_a", "user_b")
    assert (OTHERS in groups) == (single + 1 > MOST_GROUPS)
