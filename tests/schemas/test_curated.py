"""The schemas that ship: they fit their configs, and other days and seeds of the built-in feed fit them."""

from datetime import date, timedelta
from pathlib import Path

import pytest
import tfx  # noqa: F401
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils

from components.example_validator.validation import sort_out, validate
from datasets.synthetic.cli import main as simulate
from pipeline.local.day_reading import profile_day
from pipeline.schema_draft import statistics_of
from pipeline_config import CONFIGS, FEED
from ranker.config.pipeline import PipelineConfig
from ranker.feed_log.columns import columns_of
from ranker.monitoring.drift import measure_drift

ROOT = Path(__file__).parents[2]


def curated(config: PipelineConfig) -> schema_pb2.Schema:
    return text_format.Parse((ROOT / config.schema).read_text(), schema_pb2.Schema())


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_a_schema_has_the_columns_of_its_config(name: str) -> None:
    config: PipelineConfig = CONFIGS[name]
    columns = columns_of(config.objective_names, config.features, config.keys, exploration=config.exploration).columns
    types = {"numeric": "FLOAT", "dense": "FLOAT", "objective": "INT", "timestamp": "INT"}
    types |= {"randomised": "INT", "propensity": "FLOAT"}
    found = {f.name: schema_pb2.FeatureType.Name(f.type) for f in curated(config).feature}
    assert found == {column.name: types.get(column.kind, "BYTES") for column in columns}


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_only_what_is_always_there_is_required(name: str) -> None:
    config: PipelineConfig = CONFIGS[name]
    spec = schema_utils.schema_as_feature_spec(curated(config)).feature_spec
    shapes = {name: list(feature.shape) for name, feature in spec.items() if hasattr(feature, "shape")}
    expected = {objective: [1] for objective in config.objective_names}
    assert shapes == expected | {dense.name: [dense.size] for dense in config.features.dense}


@pytest.mark.slow
def test_another_seed_and_season_of_the_built_in_feed_has_no_anomaly(tmp_path: Path) -> None:
    first = date(2025, 8, 1)
    assert (
        simulate(
            [
                "--out",
                str(tmp_path),
                "--days",
                "3",
                "--impressions-per-day",
                "1000",
                "--seed",
                "11",
                "--start",
                str(first),
            ]
        )
        == 0
    )
    days = [first + timedelta(days=i) for i in range(3)]
    columns = columns_of(FEED.objective_names, FEED.features, FEED.keys, exploration=FEED.exploration)
    statistics = {
        "train": statistics_of(tmp_path, days[:2], columns),
        "eval": statistics_of(tmp_path, days[2:], columns),
    }
    *window, day = (profile_day(FEED, tmp_path, day) for day in days)
    drift = measure_drift(day, window)
    assert set(drift) == set(FEED.features.names)
    assert sort_out(validate(statistics, curated(FEED), drift)) == ([], [])
