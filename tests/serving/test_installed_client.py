"""The client's package alone, in a fresh environment, against the development server."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.ranker.export.feed import TinyFeed, dense_tensors
from tests.serving.conftest import MODEL, ROOT

pytestmark = pytest.mark.slow

SCORE = """
import importlib.util, json, sys
from feed_ranker_client import FeedRankerClient
address, model, file = sys.argv[1:]
for absent in ("tensorflow", "tensorflow_serving", "ranker", "serving", "pyarrow", "pydantic"):
    assert importlib.util.find_spec(absent) is None, absent
with FeedRankerClient(address, model, timeout_s=60.0) as client:
    features = client.features(json.load(open(file)))
    scores = client.score_features(features)
    ranking = client.rank(features)
print(json.dumps([{name: values.tolist() for name, values in scores.items()}, ranking.order.tolist()]))
"""


def test_the_package_scores_without_tensorflow(feed: TinyFeed, address: str, tmp_path: Path) -> None:
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv, which makes the environment, is not on the path")
    # The versions of the lock, from uv's cache: no network.
    sync = [uv, "sync", "--quiet", "--frozen", "--offline", "--no-default-groups", "--package", "feed-ranker-client"]
    done = subprocess.run(
        [*sync, "--no-editable", "--no-compile-bytecode"],
        cwd=ROOT,
        env={"UV_PROJECT_ENVIRONMENT": str(tmp_path / "venv")} | _environment(),
        capture_output=True,
        text=True,
    )
    if "offline" in done.stderr.lower():
        pytest.skip(f"uv's cache lacks a package: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
    rows = {name: tensor.numpy().tolist() for name, tensor in dense_tensors(feed.rows[:20]).items()}
    texts = {
        name: [[part.decode() for part in row] if isinstance(row, list) else row.decode() for row in values]
        for name, values in rows.items()
        if name in ("device", "topics")
    }
    (tmp_path / "rows.json").write_text(json.dumps({**rows, **texts, "session": [None] * 20}))
    (tmp_path / "score.py").write_text(SCORE)
    python = tmp_path / "venv" / "bin" / "python"
    # Isolated from this project: neither its folder nor PYTHONPATH.
    found = subprocess.run(
        [python, "-I", "score.py", address, MODEL, "rows.json"], cwd=tmp_path, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    scores, order = json.loads(found.stdout)
    np.testing.assert_allclose(scores["like"], feed.probabilities()[:20, 0], atol=1e-6)
    assert sorted(order) == list(range(20))


def _environment() -> dict[str, str]:
    """This process's environment without its virtual environment."""
    return {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
