"""Models that cannot be evaluated are recognised, with the reason."""

import re
from pathlib import Path

import pytest
import tensorflow as tf

from ranker.export.inspection import first_examples, in_short, scoring_problem, signature_problem
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
    assert scoring_problem(path, first_examples([examples])) is None


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
    problem = scoring_problem(str(tmp_path / "Format-Serving"), first_examples([examples]))
    assert problem is not None
    assert problem.startswith("it fails to score today's examples: InvalidArgumentError")
    assert "retired_feature" in problem


def test_a_model_without_its_variables_fails_to_load(tmp_path: Path) -> None:
    save_model(tmp_path)
    for file in (tmp_path / "Format-Serving" / "variables").iterdir():
        file.unlink()
    assert "fails to score" in str(scoring_problem(str(tmp_path / "Format-Serving"), [b""]))


def test_first_examples_reads_plain_and_gzipped_shards_up_to_the_count(tmp_path: Path) -> None:
    for name, compression in (("a", ""), ("b.gz", "GZIP")):
        with tf.io.TFRecordWriter(str(tmp_path / name), compression) as writer:
            for i in range(3):
                writer.write(f"{name}{i}".encode())
    assert first_examples([f"{tmp_path}/*"], 5) == [b"a0", b"a1", b"a2", b"b.gz0", b"b.gz1"]


def test_a_shortened_error_is_one_line() -> None:
    text = in_short(ValueError("first\n\n  second " + "word " * 200))
    assert text.startswith("ValueError: first second word")
    assert "\n" not in text
    assert len(text) < 450
