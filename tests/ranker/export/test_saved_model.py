"""The exported folder: complete, described by its manifest, and self-contained."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ranker.export.saved_model import export_saved_model
from ranker.registry.layout import MANIFEST
from ranker.registry.manifest import Manifest
from tests.ranker.export.feed import OBJECTIVES, TinyFeed, serialized

SCORE_WITH_TENSORFLOW_ALONE = """
import sys
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
examples = np.load(sys.argv[2], allow_pickle=True)["examples"]
scores = model.signatures["serving_default"](examples=tf.constant(list(examples)))
np.savez(sys.argv[3], **{name: values.numpy() for name, values in scores.items()})
others = {"xgboost", "tfx", "tfx_bsl", "tensorflow_transform", "numba", "apache_beam", "ranker", "pipeline"}
print(sorted(others & set(sys.modules)))
"""


@pytest.mark.slow
def test_tensorflow_alone_loads_and_scores(feed: TinyFeed, saved_model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "examples.npz", examples=np.array(serialized(feed.rows), object))
    arguments = [str(saved_model), str(tmp_path / "examples.npz"), str(tmp_path / "scores.npz")]

    done = subprocess.run(
        [sys.executable, "-c", SCORE_WITH_TENSORFLOW_ALONE, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    scores = np.load(tmp_path / "scores.npz")
    expected = feed.probabilities()
    for i, objective in enumerate(OBJECTIVES):
        np.testing.assert_allclose(scores[objective.name], expected[:, i], atol=1e-6)


def test_manifest_describes_the_model(feed: TinyFeed, saved_model: Path) -> None:
    manifest = json.loads((saved_model / MANIFEST).read_text())

    assert manifest == {
        "format": 2,
        "objectives": ["like", "click", "answer"],
        "trees": feed.forest.trees,
        "leaves": feed.forest.leaves,
        "forest_fingerprint": feed.forest.fingerprint,
        "config_name": "",
        "training_fingerprint": "0123",
        "eval_day": "2024-05-04",
        "base_rates": {},
        "rows": 400,
        "trained_days": [],
        "input_names": {"hours-old": "hours_old"},
        "config": {"towers": {"hidden": [16, 8]}},
    }


def test_the_folder_holds_no_optimizer_and_no_second_copy(saved_model: Path, feed: TinyFeed) -> None:
    weights = sum(variable.numpy().size for variable in feed.network.weights)
    saved = tf.train.list_variables(str(saved_model / "variables" / "variables"))

    own = {name: int(np.prod(shape)) for name, shape in saved if name.startswith("_logits/")}
    floats = sum(size for name, size in own.items() if "_code" not in name)
    # Folding adds the forest's values and removes the normalisations.
    assert floats == pytest.approx(weights, rel=0.1)
    assert not [name for name, _ in saved if "optimizer" in name.lower() or "momentum" in name.lower()]
    assert not [name for name, _ in saved if name.startswith("_leaves")]


def test_a_folder_that_exists_is_left_alone(feed: TinyFeed, manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()

    with pytest.raises(FileExistsError, match="model is already there"):
        export_saved_model(feed.module(), manifest, str(tmp_path / "model"))

    assert not list((tmp_path / "model").iterdir())


def test_a_failed_export_leaves_no_model_that_looks_complete(
    feed: TinyFeed, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = feed.module()
    monkeypatch.setattr(type(module), "signatures", lambda self: {"rank": "not a function"})

    with pytest.raises(ValueError, match="Expected a TensorFlow function"):
        export_saved_model(module, manifest, str(tmp_path / "model"))

    assert not (tmp_path / "model").exists()


@pytest.mark.slow
def test_leftovers_of_a_killed_export_do_not_matter(feed: TinyFeed, manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / ".model.0123.tmp").mkdir()
    (tmp_path / ".model.0123.tmp" / "rest").touch()

    export_saved_model(feed.module(), manifest, str(tmp_path / "model"))

    assert sorted(p.name for p in tmp_path.iterdir()) == [".model.0123.tmp", "model"]
    assert not (tmp_path / "model" / "rest").exists()
