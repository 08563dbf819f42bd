from typing import Any

from tfx.types import standard_artifacts

from components.artifacts import DayProfilesArtifact
from components.feed_log_gen.component import FeedLogGen
from ranker.config.columns import Keys
from ranker.config.documents import from_json
from ranker.feed_log.columns import LogColumns, columns_of
from ranker.identity.code import code_fingerprint
from tests.small_feed_log import FEATURES, OBJECTIVES


def component(**changed: Any) -> FeedLogGen:
    arguments: dict[str, Any] = {
        "feed_log": "log",
        "eval_day": "2024-03-04",
        "train_days": 7,
        "objectives": OBJECTIVES,
        "features": FEATURES,
        "keys": Keys(),
        "source_fingerprint": "f00d",
    }
    return FeedLogGen(**(arguments | changed))


def test_parameters_are_what_the_executor_and_the_cache_need() -> None:
    properties = component().exec_properties
    assert from_json(LogColumns, properties.pop("columns")) == columns_of(OBJECTIVES, FEATURES, Keys())
    assert properties == {
        "feed_log": "log",
        "eval_day": "2024-03-04",
        "train_days": 7,
        "source_fingerprint": "f00d",
        "code_fingerprint": code_fingerprint("components.feed_log_gen.executor"),
    }


def test_it_emits_examples_and_profiles() -> None:
    assert component().outputs["examples"].type is standard_artifacts.Examples
    assert component().outputs["profiles"].type is DayProfilesArtifact
