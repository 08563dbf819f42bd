"""The rivals without a forest read the same features, in the expected order."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from ranker import keys
from ranker.config.columns import Categorical, DenseEmbedding, Features, MultiValued
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from research.quality.experts.inputs import train_and_test, vocabularies
from research.quality.rows import HeldOutDay, Rows

CONFIG = PipelineConfig(
    name="tiny",
    objectives=(Objective("click", "passive"),),
    features=Features(
        numeric=("age", "likes"),
        categorical=(Categorical("device", vocabulary_size=3),),
        multi_valued=(MultiValued("topics", vocabulary_size=2),),
        dense=(DenseEmbedding("picture", size=2),),
    ),
    schema="unused.pbtxt",
)
GAP = np.nan


def day() -> HeldOutDay:
    # age, likes, device, topics.count, topics.0, topics.1
    features = np.array(
        [[1, GAP, 0, 2, 1, 1], [2, 5, 3, 1, 0, 1], [3, 6, GAP, 0, 0, 0], [4, 7, 2, 3, 1, 0]], np.float32
    )
    towers = {
        keys.NUMERIC: np.array([[-1, 0], [0, -1], [1, 0], [2, 1]], np.float32),
        "picture": np.array([[1, 0], [1, 10], [1, 20], [1, 30]], np.float32),
    }
    rows = Rows(features, towers, np.zeros([4, 1], np.float32), np.zeros(4, np.int64))
    return HeldOutDay(CONFIG, date(2026, 1, 2), Path("tiny"), rows, rows)


def test_a_missing_category_has_a_code_of_its_own() -> None:
    train, test = train_and_test(day())
    assert vocabularies(train) == [5]
    assert train.codes.tolist() == test.codes.tolist() == [[0], [2], [3], [1]]


def test_what_the_training_days_lack_is_one_more_code() -> None:
    """A code per value of the whole vocabulary made TabM too slow to train: 26 columns of 1,002 inputs each."""
    both = day()
    rows, two = both.train, slice(2)
    towers = {name: values[two] for name, values in rows.towers.items()}
    first_two = Rows(rows.features[two], towers, rows.labels[two], rows.buckets[two])
    train, test = train_and_test(replace(both, train=first_two))
    assert vocabularies(train) == [3]
    assert train.codes.tolist() == [[0], [1]]
    assert test.codes.tolist() == [[0], [1], [2], [2]]


def test_numbers_are_standardised_and_constants_left_out() -> None:
    train, _ = train_and_test(day())
    # Not included: the missing flag of age, which is constant, and the picture's first number.
    assert train.dense.shape == (4, 1 + 3 + 1 + 2)
    np.testing.assert_allclose(train.dense.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(train.dense.std(axis=0), 1, rtol=1e-5)
    missing_likes = train.dense[:, 0]
    assert missing_likes[0] > 0 > missing_likes[1:].max()
