"""Histories in a config: what they may be of, and what a config says about a wrong one."""

from dataclasses import replace

import pytest

from pipeline_config import FEED
from ranker.config.columns import EmbeddingHistory, History
from ranker.config.documents import from_json, to_json
from ranker.config.pipeline import PipelineConfig

AUTHORS = History("author_history", of="author_id", actions=("click",), days=20)
CONTENTS = EmbeddingHistory("content_history", of="content_embedding", actions=("like",), size=32)


def with_histories(*histories: History | EmbeddingHistory) -> PipelineConfig:
    return replace(FEED, features=replace(FEED.features, history=histories))


def test_a_config_names_the_columns_that_histories_read() -> None:
    config = with_histories(AUTHORS, CONTENTS, History("types", of="content_type", actions=("click",)))
    features = config.features
    assert features.names[-3:] == ("author_history", "content_history", "types")
    assert features.history_keys == config.id_columns == ("author_id",)
    assert features.names_read == (*features.names, "author_id")
    assert features.vectors == {"content_embedding": 32, "author_history": 4, "content_history": 3, "types": 4}
    assert (config.days_read, FEED.days_read) == (7 + 30, 7)
    assert with_histories(History("items", of="item_id", actions=("click",))).id_columns == ()
    assert from_json(type(features), to_json(features)) == features


@pytest.mark.parametrize(
    ("history", "problem"),
    [
        (replace(AUTHORS, of="hour_local"), "'hour_local' has no ids or categories"),
        (replace(AUTHORS, of="session_id"), "'session_id' is not known of a candidate"),
        (replace(AUTHORS, of="position"), "'position' is not known of a candidate"),
        (replace(AUTHORS, actions=("click", "buy")), r"\['buy'\] are not among the objectives"),
        (replace(AUTHORS, actions=("click", "click")), "names an action twice"),
        (replace(AUTHORS, name="device"), "'device'"),
        (replace(CONTENTS, of="author_id"), "'author_id' is no dense embedding of size 32"),
        (replace(CONTENTS, size=16), "'content_embedding' is no dense embedding of size 16"),
    ],
)
def test_a_wrong_history_is_named(history: History | EmbeddingHistory, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        with_histories(history)
