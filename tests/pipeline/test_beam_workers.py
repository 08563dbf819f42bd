"""Beam in two processes has the same output as in one process."""

import os
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow.parquet as pq
import pytest
from tfx import types
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts

from components.artifacts import DayProfilesArtifact, ForestArtifact
from components.feed_log_gen.executor import Executor as FeedLogGen
from components.leaf_encoder.executor import Executor as LeafEncoder
from pipeline.beam import WORKER_PROCESSES, beam_args
from ranker.config.columns import Keys
from ranker.config.documents import to_json
from ranker.feed_log.columns import columns_of
from tests.components.transformed import FEATURES, examples_artifact, tensors_of
from tests.ranker.forest.boosters import grow, random_features
from tests.small_feed_log import EVAL_DAY, OBJECTIVES, TRAIN_DAYS, day_table
from tests.small_feed_log import FEATURES as LOG_FEATURES

pytestmark = pytest.mark.slow

ONE = beam_args(())
TWO = beam_args(("--direct_num_workers=2",))


def content(folder: str) -> dict[str, bytes]:
    """Every file below a folder."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def run(
    kind: type[BaseBeamExecutor],
    args: tuple[str, ...],
    folder: Path,
    inputs: dict[str, Any],
    properties: dict[str, Any],
) -> dict[str, bytes]:
    """Runs a component that writes Examples, and returns its outputs."""
    output, profiles = standard_artifacts.Examples(), DayProfilesArtifact()
    output.uri, profiles.uri = str(folder / "output"), str(folder / "profiles")
    context = BaseBeamExecutor.Context(beam_pipeline_args=list(args), tmp_dir=str(folder / "tmp"), unique_id="1")
    outputs = {"examples": [output], "profiles": [profiles]} if kind is FeedLogGen else {"leaf_examples": [output]}
    kind(context).Do({name: [artifact] for name, artifact in inputs.items()}, outputs, properties)
    return content(output.uri) | content(profiles.uri)


def test_two_processes_work_and_import_tfx_first(tmp_path: Path) -> None:
    def where(element: int) -> None:
        import tensorflow_data_validation  # noqa: F401 - cannot be imported before TFX

        (tmp_path / f"{element}").write_text(str(os.getpid()))

    with beam.Pipeline(argv=list(TWO)) as pipeline:
        _ = pipeline | beam.Create(range(64)) | beam.Reshuffle() | beam.Map(where)
    processes = {path.read_text() for path in tmp_path.iterdir()}
    assert len(list(tmp_path.iterdir())) == 64
    assert len(processes) == 2
    assert str(os.getpid()) not in processes
    assert TWO[0] == f"--runner={WORKER_PROCESSES}"


def test_feed_log_gen_writes_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for back in range(TRAIN_DAYS + 1):
        day = EVAL_DAY.replace(day=EVAL_DAY.day - back)
        folder = tmp_path / "log" / f"day-{day}"
        folder.mkdir(parents=True)
        pq.write_table(day_table(2_400, back, day), folder / "part-0.parquet", row_group_size=500)
    properties = {
        "feed_log": str(tmp_path / "log"),
        "eval_day": EVAL_DAY.isoformat(),
        "train_days": TRAIN_DAYS,
        "columns": to_json(columns_of(OBJECTIVES, LOG_FEATURES, Keys())),
        "source_fingerprint": "",
    }
    one, two = (run(FeedLogGen, args, tmp_path / name, {}, properties) for name, args in (("1", ONE), ("2", TWO)))
    assert len([name for name in one if name.startswith("Split-")]) > 4
    assert len([name for name in one if name.endswith(".json")]) == TRAIN_DAYS + 1
    assert one == two


def test_leaf_encoder_writes_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    forest = ForestArtifact()
    forest.uri = str(tmp_path / "forest")
    grow(random_features(rng, 1000, len(FEATURES)), 2, 5, rng, max_depth=4).save(forest.uri)
    splits = {
        split: {f"t-{i:05d}-of-00004.gz": tensors_of(1_500, seed=10 * len(split) + i) for i in range(4)}
        for split in ("train", "eval")
    }
    inputs: dict[str, types.Artifact] = {
        "transformed_examples": examples_artifact(tmp_path / "examples", splits),
        "forest": forest,
    }
    one, two = (run(LeafEncoder, args, tmp_path / name, inputs, {}) for name, args in (("1", ONE), ("2", TWO)))
    assert len(one) == 8
    assert one == two
