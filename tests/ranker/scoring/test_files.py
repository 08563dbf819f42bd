"""Batch scoring: what is written equals what the model says of each row, and bad input leaves nothing behind."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from ranker import score
from ranker.export.names import SERVING_DEFAULT
from ranker.feed_log.layout import FeedLogError
from ranker.scoring import files
from ranker.scoring.files import plan_files, score_files
from ranker.scoring.loading import load_model
from ranker.scoring.patterns import InputFile, input_files
from tests.ranker.trained import LIKED, ROWS, SEEN, Trained, rows_of, too_large

pytestmark = pytest.mark.slow

KEYS = ["session_id", "viewer_id", "item_id", "timestamp"]


def _run(trained: Trained, pattern: str | Path, output: Path, *further: str) -> int:
    return score.main(["--model", trained.model.location, "--input", str(pattern), "--output", str(output), *further])


def test_scores_of_all_days_with_keys(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "scores"

    assert _run(trained, trained.feed_log / "day-*" / "*.parquet", out) == 0

    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.parquet")) == [
        f"day-2024-03-0{day}/part-0.parquet" for day in (1, 2, 3, 4)
    ]
    written, rows = pq.read_table(out / "day-2024-03-04"), trained.held_out
    assert written.schema.names == [*KEYS, "score", "click", "like"]
    for name in KEYS:
        assert written[name].type == rows[name].type
        assert written[name].equals(rows[name])
    assert written.to_pydict() == trained.model.score(rows).to_pydict()


def test_scores_are_those_of_the_servers_signature(trained: Trained, tmp_path: Path) -> None:
    """Row by row and with other Examples than the batch scorer encodes: built by hand from the features alone."""
    rows = trained.held_out.slice(0, 40)
    model = tf.saved_model.load(trained.model.location)
    examples = []
    for row in rows.to_pylist():
        example = tf.train.Example()
        feature = example.features.feature
        for name, column in {"age_hours": "age_hours", "impressions": SEEN}.items():
            if row[column] is not None:
                feature[name].float_list.value.append(row[column])
        for name, column in (("device",) * 2, ("cohort",) * 2, ("author",) * 2, ("viewer", "viewer_id")):
            if row[column] is not None:
                feature[name].bytes_list.value.append(str(row[column]).encode())
        feature["topics"].bytes_list.value.extend(topic.encode() for topic in row["topics"] or [])
        feature["content"].float_list.value.extend(row["content"])
        examples.append(example.SerializeToString())
    served = model.signatures[SERVING_DEFAULT](examples=tf.constant(examples))

    scored = trained.model.score(rows)

    for name in ("click", "like"):
        np.testing.assert_allclose(scored[name].to_numpy(), served[name].numpy(), atol=1e-6)
    factors = {"click": 0.5, "like": 0.5 * 3.0}
    utility = sum(factor * served[name].numpy() for name, factor in factors.items())
    np.testing.assert_allclose(scored["score"].to_numpy(), utility, atol=1e-6)


def test_kept_columns_can_be_chosen(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "scores"

    assert _run(trained, trained.feed_log / "day-2024-03-04", out, "--keep", "item_id", "device") == 0

    written = pq.read_table(out / "part-0.parquet")
    assert written.schema.names == ["item_id", "device", "score", "click", "like"]
    assert written["device"].to_pylist() == trained.held_out["device"].to_pylist()


def test_labels_and_exposure_are_not_needed(trained: Trained, tmp_path: Path) -> None:
    rows = trained.held_out.drop_columns(["click", LIKED, "position", "session_id"])
    pq.write_table(rows, tmp_path / "rows.parquet")

    assert _run(trained, tmp_path / "rows.parquet", tmp_path / "scores") == 0

    written = pq.read_table(tmp_path / "scores" / "rows.parquet")
    assert written.schema.names == [*KEYS[1:], "score", "click", "like"]
    assert written["click"].equals(trained.model.score(trained.held_out)["click"])


def test_rows_do_not_depend_on_row_groups_and_batches(trained: Trained, tmp_path: Path) -> None:
    loaded = load_model(trained.model.location)
    pq.write_table(trained.held_out, tmp_path / "rows.parquet", row_group_size=70)
    expected = trained.model.score(trained.held_out)
    loaded.scorer.batch_rows = 64

    plans = plan_files(loaded.scorer, [InputFile(str(tmp_path / "rows.parquet"), "rows.parquet")])
    scored = score_files(loaded.scorer, plans, tmp_path / "scores")

    written = pq.read_table(tmp_path / "scores" / "rows.parquet")
    assert (scored.files, scored.rows) == (1, ROWS)
    assert written["item_id"].equals(expected["item_id"])
    np.testing.assert_allclose(written["click"].to_numpy(), expected["click"].to_numpy(), atol=1e-6)


def test_a_batch_with_a_long_list_has_the_same_scores(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lists would be padded to the longest, so it is scored as tf.Examples."""
    scorer = load_model(trained.model.location).scorer
    rows = trained.held_out.slice(0, 50)
    [batch] = rows.combine_chunks().to_batches()
    columns = scorer.check("rows", rows.schema)
    of_columns = scorer.request(batch, columns, "rows")
    monkeypatch.setattr("ranker.scoring.scorer._MOST_CELLS", 49)
    of_examples = scorer.request(batch, columns, "rows")
    assert (set(of_examples.inputs), len(of_columns.inputs) > 1) == ({"examples"}, True)
    np.testing.assert_array_equal(scorer(of_columns).probabilities, scorer(of_examples).probabilities)


def test_a_model_without_the_default_of_an_input_scores_rows_that_lack_it(trained: Trained) -> None:
    scorer = load_model(trained.model.location).scorer
    rows = trained.held_out.slice(0, 50).drop_columns(["position"])
    [batch] = rows.combine_chunks().to_batches()
    columns = scorer.check("rows", rows.schema)
    with_default = scorer.request(batch, columns, "rows")
    del scorer._defaults["position"]
    without = scorer.request(batch, columns, "rows")
    assert ("position" in with_default.inputs, set(without.inputs)) == (True, {"examples"})
    np.testing.assert_array_equal(scorer(with_default).probabilities, scorer(without).probabilities)


def test_memory_does_not_grow_with_the_file(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty times the rows take about as much of Arrow's memory at once."""
    monkeypatch.setattr(files, "_ROW_GROUP", 1000)
    loaded = load_model(trained.model.location)
    loaded.scorer.batch_rows = 256
    peaks = []
    for name, times in (("small", 4), ("large", 80)):
        rows = pa.concat_tables([rows_of(500, 1)] * times)
        pq.write_table(rows, tmp_path / f"{name}.parquet", row_group_size=1000)
        del rows
        pool = pa.proxy_memory_pool(pa.default_memory_pool())
        before = pa.default_memory_pool()
        pa.set_memory_pool(pool)
        try:
            plans = plan_files(loaded.scorer, [InputFile(str(tmp_path / f"{name}.parquet"), f"{name}.parquet")])
            score_files(loaded.scorer, plans, tmp_path / name)
            peaks.append(pool.max_memory())
        finally:
            pa.set_memory_pool(before)
    assert peaks[0] > 0
    assert peaks[1] < 3 * peaks[0]


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("age_hours", ["old"], "numeric column 'age_hours' is string"),
        ("cohort", [1.5], "categorical column 'cohort', row 0: 1.5"),
        ("content", [[1.0, 2.0]], "an embedding of 2 numbers; the config says 3"),
    ],
)
def test_a_bad_column_is_one_sentence(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, values: list[object], said: str
) -> None:
    rows = trained.held_out.slice(0, 1)
    pq.write_table(rows.set_column(rows.schema.get_field_index(name), name, [values]), tmp_path / "rows.parquet")

    assert _run(trained, tmp_path / "rows.parquet", tmp_path / "scores") == 2

    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert said in error
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


def test_a_bad_value_in_the_last_file_leaves_nothing(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    shutil.copytree(trained.feed_log, log)
    rows = pq.read_table(log / "day-2024-03-04")
    content = [[float("nan")] * 3, *rows["content"].to_pylist()[1:]]
    at = rows.schema.get_field_index("content")
    pq.write_table(rows.set_column(at, "content", [content]), log / "day-2024-03-04" / "part-0.parquet")

    assert _run(trained, log / "day-*" / "*.parquet", tmp_path / "scores") == 2

    assert "day-2024-03-04/part-0.parquet: dense column 'content', row 0" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_rows_that_the_model_cannot_score_are_named_and_leave_nothing(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log").mkdir()
    pq.write_table(trained.held_out, tmp_path / "log" / "a.parquet")
    pq.write_table(too_large(trained.held_out, 7), tmp_path / "log" / "b.parquet")

    assert _run(trained, tmp_path / "log", tmp_path / "scores") == 2

    said = f"{tmp_path / 'log' / 'b.parquet'}: rows 0 to 599: cannot be scored: content: numbers too large to be scored"
    assert capsys.readouterr().err == f"error: {said}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_what_is_refused_before_anything_is_scored(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "notes.txt").write_text("not a table")
    (tmp_path / "broken.parquet").write_text("not Parquet")
    pattern = trained.feed_log / "day-2024-03-04" / "*.parquet"
    pq.write_table(trained.held_out.drop_columns(["device"]), tmp_path / "lacking.parquet")
    for model, source, output, said in (
        (trained.model.location, pattern, "there", "it is already there"),
        (trained.model.location, trained.feed_log / "no-*.parquet", "scores", "no file matches"),
        (trained.model.location, tmp_path / "notes.txt", "scores", "is not called *.parquet"),
        (trained.model.location, tmp_path / "broken.parquet", "scores", "not a Parquet file"),
        (trained.model.location, tmp_path / "lacking.parquet", "scores", "no column 'device'"),
        (str(trained.feed_log), pattern, "scores", "it is no model, as it has no saved_model.pb"),
        (str(tmp_path / "nothing"), pattern, "scores", "there is no such folder"),
    ):
        arguments = ["--model", model, "--input", str(source), "--output", str(tmp_path / output)]
        assert score.main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        assert said in error
        assert not (tmp_path / "scores").exists()


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        (["click"], "column 'click' cannot be kept, as its name is that of a probability"),
        (["item_id", "device", "item_id"], "column 'item_id' cannot be kept twice"),
    ],
)
def test_a_column_that_cannot_be_kept_is_refused(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str], keep: list[str], said: str
) -> None:
    folder = trained.feed_log / "day-2024-03-04"
    assert _run(trained, folder, tmp_path / "scores", "--keep", *keep) == 2
    assert capsys.readouterr().err == f"error: {folder}/part-0.parquet: {said}\n"
    assert list(tmp_path.iterdir()) == []
    for result in (trained.model.score, trained.model.rank):
        with pytest.raises(FeedLogError, match=f"^the table: {said}$"):
            result(trained.held_out, keep=keep)


def test_a_file_without_rows_has_a_file_without_scores(trained: Trained, tmp_path: Path) -> None:
    pq.write_table(trained.held_out.slice(0, 0), tmp_path / "none.parquet")

    assert _run(trained, tmp_path / "none.parquet", tmp_path / "scores") == 0

    written = pq.read_table(tmp_path / "scores" / "none.parquet")
    assert written.num_rows == 0
    assert written.schema.names == [*KEYS, "score", "click", "like"]
    [plan] = plan_files(load_model(trained.model.location).scorer, input_files(str(tmp_path / "none.parquet")), [])
    assert plan.kept == ()
