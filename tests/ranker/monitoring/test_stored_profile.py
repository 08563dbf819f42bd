"""A day's profile as a file."""

import json

import pytest

from ranker.config.columns import Categorical, Features
from ranker.documents import DocumentError
from ranker.monitoring.stored_profile import StoredProfile
from tests.ranker.monitoring.days import FEATURES, day, profile


def test_a_profile_is_equal_after_a_round_trip_through_its_file() -> None:
    found = profile(day(seed=3))
    stored = StoredProfile.of(found, "abc")
    read = StoredProfile.from_json(stored.to_json())
    assert read == stored
    restored = stored.profile(FEATURES)
    assert restored is not None
    assert restored.rows == found.rows
    for name, feature in found.features.items():
        assert restored.features[name].counts.tolist() == feature.counts.tolist()
        assert (restored.features[name].missing, restored.features[name].total) == (feature.missing, feature.total)
        assert restored.features[name].names == feature.names


def test_the_file_holds_only_buckets_in_use() -> None:
    document = json.loads(StoredProfile.of(profile(day(rows=50)), "abc").to_json())
    assert (document["format"], document["source_fingerprint"], document["rows"]) == (1, "abc", 50)
    for feature in document["features"].values():
        assert len(feature["buckets"]) == len(feature["counts"])
        assert min(feature["counts"]) > 0


def test_other_features_and_another_format_are_none() -> None:
    stored = StoredProfile.of(profile(day(rows=50)), "abc")
    assert stored.profile(Features(categorical=(Categorical("device"),))) is None
    assert StoredProfile.from_json("{}") is None
    assert StoredProfile.from_json(json.dumps({**json.loads(stored.to_json()), "format": 0})) is None


def test_a_damaged_file_is_named_with_the_field() -> None:
    document = json.loads(StoredProfile.of(profile(day(rows=50)), "abc").to_json())
    document["features"]["age"]["counts"] = "many"
    with pytest.raises(DocumentError, match=r"^monday\.json: features\.age\.counts: "):
        StoredProfile.from_json(json.dumps(document), "monday.json")
