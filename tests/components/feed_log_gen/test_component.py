from typing import Any

from tfx.types import standard_artifacts

from components.feed_log_gen.columns import LogColumns, columns_of
from components.feed_log_gen.component import FeedLogGen
from pipeline.config import Keys, from_json
from pipeline.fingerprint import code_fingerprint
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
        "code_fingerprint": code_fingerprint("components.feed_log_gen", "components.storage", "pipeline.day"),
    }


def test_it_emits_examples() -> None:
    assert component().outputs["examples"].type is standard_artifacts.Examples
