"""Every column of a config has a kind, in the order of the config."""

from dataclasses import replace

import pytest

from ranker.config.columns import EmbeddingHistory, HashedId, History
from ranker.features.registry import column_kind, feature_kinds, history_kind
from tests.ranker.export.feed import FEATURES


def test_every_feature_has_its_kind_in_the_order_of_the_names() -> None:
    kinds = feature_kinds(FEATURES)
    assert tuple(name for name, _ in kinds) == FEATURES.names
    assert [kind.name for _, kind in kinds] == ["numeric", "numeric", "categorical", "multi_valued", "dense"]
    assert [kind.log_column.size for _, kind in kinds] == [1, 1, 1, 1, 3]
    assert all(column_kind(kind.name) is type(kind) for _, kind in kinds)


def test_an_unknown_kind_is_an_error_that_lists_the_kinds() -> None:
    with pytest.raises(
        ValueError,
        match="'hashed' is not one of id, optional id, timestamp, objective, randomised, propensity, weight, recency",
    ):
        column_kind("hashed")


def test_the_settings_and_the_class_of_a_kind_are_in_files_of_the_same_name() -> None:
    every = replace(
        FEATURES,
        history=(
            History("likes", of="device", actions=("like",)),
            EmbeddingHistory("pictures", of="picture", size=3, actions=("like",)),
        ),
        ids=(HashedId("viewer_id"),),
    )
    files = [(type(kind.column).__module__, type(kind).__module__) for _, kind in feature_kinds(every)]
    assert {settings.rpartition(".")[0] for settings, _ in files} == {"ranker.config.kinds"}
    assert [settings.rpartition(".")[2] for settings, _ in files] == [kind.rpartition(".")[2] for _, kind in files]


def test_settings_and_class_agree_on_which_columns_are_computed() -> None:
    histories = (
        History("likes", of="device", actions=("like",)),
        EmbeddingHistory("pictures", of="picture", size=3, actions=("like",)),
    )
    kinds = [kind for _, kind in feature_kinds(replace(FEATURES, history=histories))]
    assert [kind.column.name for kind in kinds if kind.computed] == ["likes", "pictures"]
    assert [kind.column.is_computed for kind in kinds] == [kind.computed for kind in kinds]
    assert [history_kind(history).name for history in histories] == ["history", "embedding history"]
