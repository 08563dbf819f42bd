"""A manifest survives serialisation, an old format is readable, and anything else is refused."""

import json
from dataclasses import replace

import pytest

from ranker.documents import DocumentError
from ranker.identity.training import TrainingIdentity
from ranker.registry.manifest import Lineage, Manifest, Republished

IDENTITY = TrainingIdentity("2026-03-09", "c0de", "da7a", "warm", "beef")
FULL = Manifest(
    objectives=["click", "like"],
    trees=12,
    leaves=96,
    forest_fingerprint="f0",
    training_fingerprint=IDENTITY.fingerprint,
    eval_day="2026-03-09",
    rows=1000,
    input_names={"hours-old": "hours_old"},
    config_name="feed",
    config={"towers": {"hidden": [16, 8]}},
    training=IDENTITY,
    lineage=Lineage("warm", "7", "2026-03-05", False, {"features": "f1"}),
)


@pytest.mark.parametrize("manifest", [FULL, replace(FULL, rollback=Republished("7", "8")), Manifest()])
def test_a_manifest_survives_its_file(manifest: Manifest) -> None:
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_missing_fields_are_omitted() -> None:
    assert "rollback" not in json.loads(FULL.to_json())
    assert json.loads(FULL.to_json())["format"] == 2


def test_a_manifest_of_the_first_format_is_understood() -> None:
    old = {"format": 1, "objectives": ["click"], "eval_day": "2026-03-09", "training_fingerprint": "f", "lineage": {}}
    assert Manifest.from_json(json.dumps(old)) == Manifest(
        objectives=["click"], eval_day="2026-03-09", training_fingerprint="f"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("half a manif", r"^7/m\.json: not JSON"),
        ("[]", r"^7/m\.json: .*(dictionary|object)"),
        ('{"trees": "many"}', "trees: "),
        ('{"format": 3}', r"^7/m\.json: format: it is 3, and this version reads no newer one than 2"),
        ('{"lineage": {"start": "hot"}}', r"lineage\.start: "),
    ],
)
def test_anything_else_is_refused_with_the_field(text: str, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        Manifest.from_json(text, "7/m.json")
