"""The pushed model is loaded by the oldest TensorFlow that is still used to serve it, with the same probabilities."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from ranker.examples import example_files
from tests.end_to_end.conftest import FinishedRun

pytestmark = pytest.mark.slow

OLDEST = "tensorflow-cpu==2.19.1"
ROWS = 200
# Every TensorFlow since 1.12 loads graphs of this version; one that asks for more excludes servers.
MIN_CONSUMER = 12

SCORE = """
import json, sys
import numpy as np
import tensorflow as tf
model, rows, output = sys.argv[1:]
examples = tf.constant([row.numpy() for row in tf.data.TFRecordDataset(rows)])
scores = tf.saved_model.load(model).signatures["serving_default"](examples=examples)
np.savez(output, **{name: score.numpy() for name, score in scores.items()})
print(json.dumps({"version": tf.__version__}))
"""


@pytest.fixture(scope="module")
def pushed(first_run: FinishedRun) -> Path:
    return Path(first_run.summary["pushed_model"])


@pytest.fixture(scope="module")
def rows(workdir: Path, first_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with rows of the held-out day."""
    assert first_run.status == 0
    (split,) = (workdir / "artifacts" / "FeedLogGen" / "examples").glob("*/Split-eval")
    path = tmp_path_factory.mktemp("rows") / "rows.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as file:
        for row in tf.data.TFRecordDataset(example_files(str(split))).take(ROWS):
            file.write(row.numpy())
    return path


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with that TensorFlow."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not on the path, and installing TensorFlow by pip takes minutes")
    folder = tmp_path_factory.mktemp("oldest") / "venv"
    python = folder / "bin" / "python"
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--no-compile-bytecode", "--python", str(python), OLDEST],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if "dns error" in done.stderr or "Could not connect" in done.stderr:
            pytest.skip(f"{OLDEST} cannot be downloaded here")
        assert done.returncode == 0, done.stderr
    return python


def score(python: Path, pushed: Path, rows: Path, output: Path) -> tuple[str, dict[str, np.ndarray]]:
    """The version of an interpreter's TensorFlow, and the probabilities that it gives the rows."""
    done = subprocess.run(
        [str(python), "-W", "ignore", "-c", SCORE, str(pushed), str(rows), str(output)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)["version"], dict(np.load(output))


def test_the_graph_asks_for_no_newer_consumer(pushed: Path) -> None:
    [graph] = saved_model_pb2.SavedModel.FromString((pushed / "saved_model.pb").read_bytes()).meta_graphs
    assert graph.graph_def.versions.min_consumer <= MIN_CONSUMER
    assert list(graph.graph_def.versions.bad_consumers) == []


def test_the_oldest_served_version_gives_the_same_probabilities(
    pushed: Path, rows: Path, oldest: Path, tmp_path: Path
) -> None:
    version, old = score(oldest, pushed, rows, tmp_path / "old.npz")
    assert version == OLDEST.partition("==")[2]
    this_version, new = score(Path(sys.executable), pushed, rows, tmp_path / "new.npz")
    assert this_version == tf.__version__ != version
    assert old.keys() == new.keys()
    for name, expected in new.items():
        assert len(expected) == ROWS
        np.testing.assert_allclose(old[name], expected, rtol=1e-6, err_msg=name)
