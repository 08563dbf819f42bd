"""Real Examples shards and real SavedModels that score them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tfx.types import standard_artifacts

from components.evaluator.executor import Executor
from pipeline.beam import IN_PROCESS_ARGS
from ranker.config.columns import Features, History
from ranker.config.documents import to_json
from ranker.config.gates import Gate, Gates
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.session_sums import UtilityWeights
from tests.ranker.evaluation.logit_model import save_model, write_examples
from tests.ranker.evaluation.simulated import OBJECTIVES, SLICES, UTILITY, Simulated, simulate

GATES = Gates(
    objective=Gate(min_auc=0.55, o_over_e=(0.7, 1.4), max_auc_drop=0.02, max_calibration_worsening=0.15),
    slice=Gate(max_normalized_entropy=None, o_over_e=(0.5, 2.0)),
    slice_min_positives=50,
)
FEATURES = Features(numeric=("c",), history=(History("authors", of="author_id", actions=("click",)),))


@dataclass(frozen=True)
class Evaluated:
    """The outputs of an execution."""

    uri: str
    evaluation: Evaluation
    blessing: standard_artifacts.ModelBlessing


@pytest.fixture(scope="session")
def data() -> Simulated:
    return simulate(rows=4000, seed=51, viewers=300)


@pytest.fixture(scope="session")
def examples(data: Simulated, tmp_path_factory: pytest.TempPathFactory) -> standard_artifacts.Examples:
    root = tmp_path_factory.mktemp("examples")
    write_examples(root / "Split-eval", data)
    return _examples_artifact(root)


@pytest.fixture(scope="session")
def empty_examples(tmp_path_factory: pytest.TempPathFactory) -> standard_artifacts.Examples:
    root = tmp_path_factory.mktemp("empty")
    nothing = simulate(rows=10, seed=1)
    write_examples(
        root / "Split-eval",
        nothing.rows_of(slice(0)),
    )
    return _examples_artifact(root)


def _examples_artifact(root: Path) -> standard_artifacts.Examples:
    artifact = standard_artifacts.Examples()
    artifact.uri = str(root)
    artifact.split_names = json.dumps(["eval"])
    return artifact


def model_artifact(path: Path, version: str | None = None) -> standard_artifacts.Model:
    """A Model artifact; with a version, it is the serving model."""
    artifact = standard_artifacts.Model()
    artifact.uri = str(path)
    if version is not None:
        artifact.set_int_custom_property("present", 1)
        artifact.set_string_custom_property("version", version)
    return artifact


@pytest.fixture
def evaluate(examples: standard_artifacts.Examples, tmp_path: Path) -> Callable[..., Evaluated]:
    """Runs the executor on a candidate's and, optionally, a serving model's artifact."""

    def run(
        candidate: Path,
        baseline: standard_artifacts.Model | None = None,
        on: standard_artifacts.Examples | None = None,
        objectives: tuple[str, ...] = OBJECTIVES,
        gates: Gates = GATES,
        features: Features = FEATURES,
    ) -> Evaluated:
        evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
        evaluation.uri, blessing.uri = str(tmp_path / "evaluation"), str(tmp_path / "blessing")
        for artifact in (evaluation, blessing):
            Path(artifact.uri).mkdir()
        inputs = {"examples": [on or examples], "model": [model_artifact(candidate)]}
        if baseline is not None:
            inputs["baseline_model"] = [baseline]
        context = Executor.Context(
            beam_pipeline_args=list(IN_PROCESS_ARGS), tmp_dir=str(tmp_path / "tmp"), unique_id="1"
        )
        Executor(context).Do(
            inputs,
            {"evaluation": [evaluation], "blessing": [blessing]},
            {
                "viewer_key": "viewer_id",
                "session_key": "session_id",
                "utility": to_json(UtilityWeights({name: UTILITY.weights[name] for name in objectives}, UTILITY.k)),
                "slices": json.dumps(SLICES),
                "gates": to_json(gates),
                "features": to_json(features),
            },
        )
        written = Evaluation.from_json((Path(evaluation.uri) / "gates.json").read_text())
        return Evaluated(evaluation.uri, written, blessing)

    return run


@pytest.fixture(scope="session")
def good_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good")
    save_model(path)
    return path


def labels_and_scores(data: Simulated, objective: str) -> tuple[np.ndarray, np.ndarray]:
    """The labels and the probabilities that the good model predicts."""
    o = OBJECTIVES.index(objective)
    return data.labels[o], data.probabilities[o]
