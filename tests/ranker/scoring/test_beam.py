"""Batch scoring by Beam: the files are those of one process, and a problem of a worker is the same sentence."""

from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from ranker import score
from ranker.feed_log.layout import FeedLogError
from ranker.scoring.beam import SUCCESS, ScoringError, _problem, score_with_beam
from ranker.storage import copy_folder, exists, files_below, join
from tests.object_store import ObjectStore
from tests.ranker.trained import ROWS, Trained, too_large

pytestmark = pytest.mark.slow

RUNNER = "--runner=FnApiRunner"  # the DirectRunner in this process


def pipeline() -> beam.Pipeline:
    return beam.Pipeline(options=PipelineOptions([RUNNER]))


def failing_pipeline() -> beam.Pipeline:
    raise RuntimeError("no cluster")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_files_are_those_of_one_process(trained: Trained, tmp_path: Path) -> None:
    pattern = str(trained.feed_log / "day-*" / "*.parquet")
    arguments = ["--model", trained.model.location, "--input", pattern, "--output"]
    assert score.main([*arguments, str(tmp_path / "one")]) == 0
    assert score.main([*arguments, str(tmp_path / "beam"), f"--beam-args={RUNNER}"]) == 0
    written = files(tmp_path / "beam")
    assert set(written) == {f"day-2024-03-0{day}/part-0.parquet" for day in (1, 2, 3, 4)}
    assert written == files(tmp_path / "one")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beam", "one"]
    # A folder that is there is refused as well, and replaced on request.
    assert score.main([*arguments, str(tmp_path / "beam"), f"--beam-args={RUNNER}"]) == 2
    newest = str(trained.feed_log / "day-2024-03-04")
    replaced = score_with_beam(pipeline, trained.model.location, newest, tmp_path / "beam", ["item_id"], replace=True)
    assert (replaced.files, replaced.rows) == (1, ROWS)
    assert set(files(tmp_path / "beam")) == {"part-0.parquet"}
    assert pq.read_table(tmp_path / "beam").schema.names == ["item_id", "score", "click", "like"]


def test_on_an_object_store_a_marker_is_written_last(trained: Trained, bucket: str, object_store: ObjectStore) -> None:
    place = object_store.uri(f"{bucket}/scores")
    newest = str(trained.feed_log / "day-2024-03-04")
    score_with_beam(pipeline, trained.model.location, newest, place)
    assert exists(join(place, "part-0.parquet"))
    assert exists(join(place, SUCCESS))
    with pytest.raises(FileExistsError):
        score_with_beam(pipeline, trained.model.location, newest, place)
    with pytest.raises(ValueError, match=f"{bucket}.*: it is a bucket; name a folder in it"):
        score_with_beam(pipeline, trained.model.location, newest, object_store.uri(bucket), replace=True)


def test_former_scores_on_an_object_store_stay_until_the_new_ones_are_complete(
    trained: Trained, tmp_path: Path, bucket: str, object_store: ObjectStore
) -> None:
    place = object_store.uri(f"{bucket}/scores/day-2024-03-04")
    killed = f"scores/.day-2024-03-04.{'0' * 16}.tmp"
    others = f"scores/.day-2024-03-03.{'0' * 16}.tmp/part-0.parquet"
    former = {"scores/day-2024-03-04/old.parquet": b"scores", f"scores/day-2024-03-04/{SUCCESS}": b""}
    for key, content in {**former, f"{killed}/part-0.parquet": b"half", others: b"half"}.items():
        object_store.write(bucket, key, content)
    before = object_store.keys(bucket)
    (tmp_path / "log" / "day=4").mkdir(parents=True)
    good, bad = tmp_path / "log" / "a.parquet", tmp_path / "log" / "day=4" / "b+c=d.parquet"
    pq.write_table(trained.held_out.slice(0, 9), good)
    pq.write_table(too_large(trained.held_out.slice(0, 9), 7), bad)
    arguments = (trained.model.location, str(tmp_path / "log"), place)

    # It fails when a part of the new scores is there already, and cannot start at all.
    with pytest.raises(FeedLogError, match="numbers too large to be scored"):
        score_with_beam(pipeline, *arguments, replace=True)
    with pytest.raises(ScoringError):
        score_with_beam(failing_pipeline, *arguments, replace=True)
    assert sorted(object_store.keys(bucket)) == sorted(before)

    pq.write_table(trained.held_out.slice(0, 9), bad)
    score_with_beam(pipeline, *arguments, replace=True)
    copy_folder(place, tmp_path / "found")
    score_with_beam(pipeline, trained.model.location, str(tmp_path / "log"), tmp_path / "expected")
    assert files(tmp_path / "found") == {**files(tmp_path / "expected"), SUCCESS: b""}
    # What a killed job left is removed, and that of another output stays.
    keys = [key for key in object_store.keys(bucket) if "/.day" in key]
    assert sorted(keys) == sorted(key for key in before if "/.day-2024-03-03" in key)


def test_scores_that_another_job_removed_are_missed_before_the_former_ones_go(
    trained: Trained, bucket: str, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = object_store.uri(f"{bucket}/scores")
    object_store.write(bucket, f"scores/{SUCCESS}", b"")
    monkeypatch.setattr("ranker.scoring.beam.files_below", lambda folder: files_below(folder)[1:])
    newest = str(trained.feed_log / "day-2024-03-04")
    with pytest.raises(ScoringError, match=r"the scores of 1 of 1 files are missing, such as part-0\.parquet"):
        score_with_beam(pipeline, trained.model.location, newest, place, replace=True)
    assert [key for key in object_store.keys(bucket) if "." in key or key.endswith(SUCCESS)] == [f"scores/{SUCCESS}"]


def test_a_bad_value_is_the_sentence_of_one_process_and_leaves_nothing(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = trained.held_out.to_pylist()
    rows[7]["content"] = [float("nan")] * len(rows[7]["content"])
    (tmp_path / "log").mkdir()
    pq.write_table(pa.Table.from_pylist(rows, trained.held_out.schema), tmp_path / "log" / "part-0.parquet")
    arguments = ["--model", trained.model.location, "--input", str(tmp_path / "log"), "--output", str(tmp_path / "out")]
    said = []
    for further in ([], [f"--beam-args={RUNNER}"]):
        assert score.main([*arguments, *further]) == 2
        said.append(capsys.readouterr().err.splitlines()[-1])
    assert said[0] == said[1]
    assert "content" in said[0]
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_a_problem_is_found_in_the_text_of_a_runner() -> None:
    traceback = "Traceback (most recent call last):\n  …\nranker.feed_log.layout.FeedLogError: "
    text = f"{traceback}a.parquet: row 7 [while running 'Score']"
    assert _problem(RuntimeError(text)) == "a.parquet: row 7"
    assert _problem(FeedLogError("a.parquet: row 7 [while running 'Score']")) == "a.parquet: row 7"
    assert _problem(RuntimeError("no worker")) is None


def test_a_job_that_fails_is_one_sentence(trained: Trained, tmp_path: Path) -> None:
    def broken() -> beam.Pipeline:
        raise ConnectionError("no job service at localhost:8099")

    with pytest.raises(ScoringError, match="the Beam job failed: no job service at localhost:8099"):
        score_with_beam(broken, trained.model.location, str(trained.feed_log), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
