"""Models that cannot be evaluated are recognised, with the reason."""

import re
from pathlib import Path

import pytest
import tensorflow as tf

from ranker.export.inspection import example_batches, predicted_outputs, scoring_problem, signature_problem
from tests.ranker.evaluation.logit_model import save_model, write_examples
from tests.ranker.evaluation.simulated import OBJECTIVES, simulate


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The pattern of the files of a few impressions."""
    folder = tmp_path_factory.mktemp("examples") / "Split-eval"
    write_examples(folder, simulate(rows=40, seed=51))
    return f"{folder}/*"


def test_a_model_with_the_objectives_has_no_problem(tmp_path: Path, examples: str) -> None:
    save_model(tmp_path)
    path = str(tmp_path / "Format-Serving")
    assert signature_problem(path, OBJECTIVES) is None
    assert signature_problem(path, OBJECTIVES[::-1]) is None
    assert scoring_problem(path, example_batches([examples], 16)) is None
    assert predicted_outputs(path) == set(OBJECTIVES)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("missing", "there is no SavedModel at"),
        ("garbage", "cannot be read"),
        ("signature", r"no signature serving_default, only \['score'"),
        ("objectives", r"it predicts \['click', 'follow'\] and not \['click', 'share'\]"),
    ],
)
def test_a_model_that_does_not_match_gives_the_reason(tmp_path: Path, damage: str, reason: str) -> None:
    save_model(
        tmp_path,
        objectives=("click", "follow") if damage == "objectives" else OBJECTIVES,
        signature="score" if damage == "signature" else "serving_default",
    )
    file = tmp_path / "Format-Serving" / "saved_model.pb"
    if damage == "missing":
        file.unlink()
    if damage == "garbage":
        file.write_bytes(b"\xff\xff not a model")
    problem = signature_problem(str(file.parent), OBJECTIVES)
    assert problem is not None
    assert re.search(reason, problem)


def test_a_signature_of_feature_tensors_cannot_be_fed_examples(tmp_path: Path) -> None:
    class OnTensors(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "numeric")])
        def serve(self, numeric: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"click": numeric[:, 0], "share": numeric[:, 1]}

    model = OnTensors()
    tf.saved_model.save(model, str(tmp_path), signatures=model.serve)
    assert signature_problem(str(tmp_path), OBJECTIVES) == (
        "serving_default takes ['numeric'] and not one batch of serialized tf.Examples"
    )


def test_a_model_that_needs_a_feature_no_longer_logged_fails_to_score(tmp_path: Path, examples: str) -> None:
    save_model(tmp_path, needs="retired_feature")
    problem = scoring_problem(str(tmp_path / "Format-Serving"), example_batches([examples], 16))
    assert problem is not None
    assert problem.startswith("it fails to score today's examples: InvalidArgumentError")
    assert "retired_feature" in problem


def test_a_model_without_its_variables_fails_to_load(tmp_path: Path) -> None:
    save_model(tmp_path)
    for file in (tmp_path / "Format-Serving" / "variables").iterdir():
        file.unlink()
    assert "it cannot be loaded" in str(scoring_problem(str(tmp_path / "Format-Serving"), [[b""]]))


@pytest.mark.parametrize("file", ["variables.index", "variables.data-00000-of-00001"])
def test_a_model_with_truncated_variables_fails_to_load(tmp_path: Path, file: str) -> None:
    class WithVariable(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = tf.Variable(tf.random.normal([4096]))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
        def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"click": tf.sigmoid(tf.reduce_sum(self.weights)) * tf.ones_like(examples, tf.float32)}

    model = WithVariable()
    tf.saved_model.save(model, str(tmp_path), signatures=model.serve)
    damaged = tmp_path / "variables" / file
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2])
    assert "it cannot be loaded: " in str(scoring_problem(str(tmp_path), [[b""]]))


@pytest.mark.slow
def test_memory_that_is_used_up_is_not_the_models_fault(tmp_path: Path) -> None:
    """More than an address space can hold, so TensorFlow fails at once."""

    class Huge(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
        def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
            huge = tf.random.uniform([tf.size(examples, tf.int64) * 2**50])
            return {"click": tf.reduce_max(huge) * tf.ones_like(examples, tf.float32)}

    model = Huge()
    tf.saved_model.save(model, str(tmp_path), signatures=model.serve)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        scoring_problem(str(tmp_path), [[b""]])


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(28, "No space left on device"),
        OSError(24, "Too many open files"),
        PermissionError(13, "Permission denied"),
        RuntimeError("can't start new thread"),
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
        tf.errors.UnavailableError(None, None, "connection reset"),
        tf.errors.PermissionDeniedError(None, None, "variables"),
        tf.errors.UnknownError(None, None, "Input/output error"),
    ],
    ids=str,
)
def test_what_says_nothing_about_the_model_is_raised(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: str) -> None:
        raise error

    monkeypatch.setattr(tf.saved_model, "load", failing)
    with pytest.raises(type(error)):
        scoring_problem(str(tmp_path), [[b""]])


def test_an_example_that_cannot_be_read_is_not_the_models_fault(tmp_path: Path) -> None:
    save_model(tmp_path)
    damaged = tmp_path / "examples"
    with tf.io.TFRecordWriter(str(damaged)) as writer:
        writer.write(b"example")
    damaged.write_bytes(damaged.read_bytes()[:-3])
    with pytest.raises(tf.errors.DataLossError):
        scoring_problem(str(tmp_path / "Format-Serving"), example_batches([str(damaged)], 16))


def test_example_batches_reads_plain_and_gzipped_shards(tmp_path: Path) -> None:
    for name, compression in (("a", ""), ("b.gz", "GZIP")):
        with tf.io.TFRecordWriter(str(tmp_path / name), compression) as writer:
            for i in range(3):
                writer.write(f"{name}{i}".encode())
    batches = list(example_batches([f"{tmp_path}/*"], 2))
    assert batches == [[b"a0", b"a1"], [b"a2"], [b"b.gz0", b"b.gz1"], [b"b.gz2"]]


def test_the_reason_is_one_short_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(path: str) -> None:
        raise ValueError("first\n\n  second " + "word " * 200)

    monkeypatch.setattr(tf.saved_model, "load", failing)
    text = str(scoring_problem(str(tmp_path), []))
    assert text.startswith("it cannot be loaded: ValueError: first second word")
    assert "\n" not in text
    assert len(text) < 450
