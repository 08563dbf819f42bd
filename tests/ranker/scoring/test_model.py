"""The Python API: results of the table's kind that agree with the served signatures and the pipeline's evaluation."""

import gc
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

import ranker
from pipeline.local.day_reading import score_day
from ranker.config.gates import Gate, Gates
from ranker.config.rows import Rows
from ranker.feed_log.layout import FeedLogError
from ranker.registry.layout import MANIFEST
from ranker.registry.manifest import Manifest
from ranker.scoring.loading import load_model
from ranker.scoring.model import Model
from ranker.scoring.tables import to_arrow
from ranker.storage import join
from tests.ranker.trained import CONFIG, LIKED, SEEN, Trained, small_config, too_large, write_log
from tests.small_feed_log import EVAL_DAY

pytestmark = pytest.mark.slow

QUICK = replace(
    CONFIG, forest=replace(CONFIG.forest, trees=2, early_stopping_rounds=0), training=replace(CONFIG.training, epochs=1)
)


def test_tables_in_and_tables_of_the_same_kind_out(trained: Trained) -> None:
    rows = trained.held_out
    frame = rows.to_pandas().set_index(np.arange(len(rows))[::-1])

    table, data_frame = trained.model.score(rows), trained.model.score(frame)
    [whole] = rows.combine_chunks().to_batches()
    batch = trained.model.score(whole)

    assert isinstance(table, pa.Table)
    assert isinstance(data_frame, pd.DataFrame)
    assert isinstance(batch, pa.RecordBatch)
    assert data_frame.index.equals(frame.index)
    assert list(data_frame.columns) == table.schema.names == batch.schema.names
    assert table["like"].to_pylist() == data_frame["like"].tolist() == batch.column("like").to_pylist()


def test_a_ranking_is_that_of_the_signature(trained: Trained) -> None:
    rows = trained.held_out.slice(0, 60)
    served = tf.saved_model.load(trained.model.location).signatures["rank_weighted"]
    frame = rows.to_pandas()
    inputs: dict[str, Any] = {
        name: tf.constant(frame[column].fillna(np.nan).to_numpy(np.float32))
        for name, column in {"age_hours": "age_hours", "impressions": SEEN}.items()
    }
    for name, column in {**{name: name for name in ("device", "cohort", "author")}, "viewer": "viewer_id"}.items():
        inputs[name] = tf.constant(["" if pd.isna(value) else str(value) for value in frame[column]])
    width = max(len([] if one is None else one) for one in rows["topics"].to_pylist())
    inputs["topics"] = tf.constant(
        [(one or []) + [""] * (width - len(one or [])) for one in rows["topics"].to_pylist()]
    )
    inputs["content"] = tf.constant(np.stack(rows["content"].to_pylist()).astype(np.float32))
    expected = served(
        **inputs,
        position=tf.constant([1.0]),
        alpha=tf.constant(0.2),
        lambda_=tf.constant(0.1),
        weight_click=tf.constant(1.0),
        weight_like=tf.constant(7.0),
    )

    ranked = trained.model.rank(rows.drop_columns(["session_id"]), alpha=0.2, weights={"like": 7.0}, keep=["item_id"])

    assert ranked.schema.names == ["item_id", "rank", "score", "click", "like"]
    assert ranked["rank"].to_pylist() == list(range(1, 61))
    assert ranked["item_id"].to_pylist() == rows["item_id"].take(pa.array(expected["order"].numpy())).to_pylist()
    in_order = expected["score"].numpy()[expected["order"].numpy()]
    np.testing.assert_allclose(ranked["score"].to_numpy(), in_order, atol=1e-6)


def test_ids_are_optional_and_unknown_ones_are_missing(trained: Trained) -> None:
    rows = trained.held_out.slice(0, 60)
    missing = [pa.nulls(60, pa.string()) for _ in range(2)]
    emptied = rows
    for name, values in zip(("viewer_id", "author"), missing, strict=True):
        emptied = emptied.set_column(emptied.schema.get_field_index(name), name, values)
    without = trained.model.score(rows.drop_columns(["viewer_id", "author"]), keep=[])
    np.testing.assert_array_equal(trained.model.score(emptied, keep=[])["click"], without["click"])
    assert np.abs(trained.model.score(rows, keep=[])["click"].to_numpy() - without["click"].to_numpy()).max() > 1e-4


def test_each_session_is_ranked_by_itself(trained: Trained) -> None:
    frame = trained.held_out.to_pandas()

    ranked = trained.model.rank(frame)

    assert ranked["session_id"].drop_duplicates().tolist() == frame["session_id"].drop_duplicates().tolist()
    assert sorted(ranked.index) == list(frame.index)
    assert (frame.loc[ranked.index, "item_id"] == ranked["item_id"]).all()
    for _, session in ranked.groupby("session_id", sort=False):
        assert session["rank"].tolist() == list(range(1, len(session) + 1))
        assert session["score"].is_monotonic_decreasing
    by_viewer = trained.model.rank(frame, session="viewer_id")
    assert by_viewer.groupby("viewer_id")["rank"].max().to_dict() == frame.groupby("viewer_id").size().to_dict()


def test_a_kept_column_may_not_have_the_name_of_a_probability(trained: Trained) -> None:
    for scored in (trained.model.score, trained.model.rank):
        with pytest.raises(FeedLogError, match=r"^the table: column 'click' cannot be kept, as its name is"):
            scored(trained.held_out, keep=["click"])


def test_equal_scores_keep_their_order(trained: Trained) -> None:
    rows = pa.concat_tables([trained.held_out.slice(0, 1)] * 5)
    rows = rows.set_column(rows.schema.get_field_index("item_id"), "item_id", [[f"i{i}" for i in range(5)]])
    assert trained.model.rank(rows)["item_id"].to_pylist() == [f"i{i}" for i in range(5)]


def test_a_table_needs_the_columns_of_the_features(trained: Trained) -> None:
    model = trained.model
    assert dict(zip(model.features, model.columns, strict=True))["impressions"] == SEEN
    read_again = Manifest.from_json((Path(model.location) / MANIFEST).read_text(), MANIFEST).config["objectives"][1]
    assert (read_again["name"], read_again["column"]) == ("like", LIKED)


def test_the_evaluation_is_that_of_the_monitor(trained: Trained) -> None:
    _, expected = score_day(trained.config, trained.feed_log, EVAL_DAY, trained.model.location)

    evaluation = trained.model.evaluate(trained.held_out)

    assert evaluation == expected
    assert evaluation.objectives["click"].candidate.auc.value > 0.8
    assert str(evaluation).startswith("No gate: 600 impressions")
    assert evaluation.observed("click") == 1.0
    observed = 600 - trained.held_out[LIKED].null_count
    assert evaluation.objectives["like"].candidate.impressions == observed < 600
    assert f"observed outcomes: like for {100 * observed / 600:.3g} % of the impressions" in str(evaluation)


def test_rows_that_cannot_be_scored_are_named(trained: Trained, tmp_path: Path) -> None:
    rows = too_large(trained.held_out, 7)
    said = "rows 0 to 599: cannot be scored: content: numbers too large to be scored"
    for result in (trained.model.score, trained.model.rank, trained.model.evaluate):
        with pytest.raises(FeedLogError, match=f"^the table: {said}$"):
            result(rows)
    file = tmp_path / f"day-{EVAL_DAY}" / "part-0.parquet"
    file.parent.mkdir()
    pq.write_table(rows, file)
    with pytest.raises(FeedLogError, match=f"^{file}: {said}$"):
        score_day(trained.config, tmp_path, EVAL_DAY, trained.model.location)


def test_an_evaluation_names_the_row_of_the_table_where_conditions_leave_rows_out(trained: Trained) -> None:
    loaded = load_model(trained.model.location)
    where = Rows(where=[("position", ">", 1)])
    rows = trained.held_out
    clicks = [2 if row == 7 else value for row, value in enumerate(rows["click"].to_pylist())]
    rows = rows.set_column(rows.schema.get_field_index("click"), "click", [clicks])
    model = Model(replace(loaded, description=replace(loaded.description, rows=where)))
    with pytest.raises(FeedLogError, match=r"^the table: objective column 'click', row 7: 2; "):
        model.evaluate(rows)


def test_an_evaluation_with_slices_gates_and_a_baseline(trained: Trained) -> None:
    gates = Gates(objective=Gate(min_auc=0.999))

    evaluation = trained.model.evaluate(
        trained.held_out.to_pandas(), baseline=trained.model, slices=[("device",)], gates=gates
    )

    assert not evaluation.blessed
    assert {one.name for one in evaluation.slices} == {"device=ios", "device=web", "device=(missing)"}
    comparison = evaluation.objectives["click"].comparison
    assert comparison is not None
    assert comparison.auc_drop.value == 0.0


def test_a_saved_copy_and_a_push_destination_are_loaded(trained: Trained, tmp_path: Path) -> None:
    trained.model.save(tmp_path / "models" / "17")
    (tmp_path / "models" / "18").mkdir()  # half copied: without its saved_model.pb

    loaded = ranker.load(tmp_path / "models")

    assert loaded.location == str(tmp_path / "models" / "17")
    assert loaded.objectives == ("click", "like")
    assert loaded.manifest == trained.model.manifest
    assert loaded.score(trained.held_out).equals(trained.model.score(trained.held_out))
    with pytest.raises(FileExistsError):
        trained.model.save(tmp_path / "models" / "17")


def test_a_model_of_an_object_store(trained: Trained, bucket: str, object_store: Any) -> None:
    place = object_store.uri(f"{bucket}/models")
    trained.model.save(join(place, "17"))

    loaded = ranker.load(place)

    assert loaded.score(trained.held_out).equals(trained.model.score(trained.held_out))


def test_a_temporary_model_is_deleted_with_its_object(tmp_path: Path) -> None:
    write_log(tmp_path / "log", 120)
    model = ranker.train(small_config(tmp_path, QUICK), tmp_path / "log", str(EVAL_DAY))
    place = Path(model.location)
    assert place.is_dir()
    assert model.history
    assert model.history.loss

    del model
    gc.collect()

    assert not place.exists()


@pytest.mark.parametrize("damage", ["saved_model.pb", "variables/variables.index", "assets.extra/feed_ranker.json"])
def test_a_damaged_model_is_named(trained: Trained, tmp_path: Path, damage: str) -> None:
    trained.model.save(tmp_path / "model")
    (tmp_path / "model" / damage).write_bytes(b"damaged")
    with pytest.raises(ranker.ModelError, match=str(tmp_path / "model")):
        ranker.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"alpha": 1.5}, "alpha"),
        ({"lambda_": -1.0}, "lambda_"),
        ({"weights": {"share": 1.0}}, "'share'"),
        ({"weights": {"like": -1.0}}, "like must lie between 0"),
        ({"session": "visit"}, "no column 'visit'"),
        ({"keep": ["visit"]}, "no column 'visit'"),
    ],
)
def test_wrong_arguments_of_a_ranking_are_named(trained: Trained, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        trained.model.rank(trained.held_out, **arguments)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.drop(columns="cohort"), "no column 'cohort'"),
        (lambda frame: frame.rename(columns={SEEN: "impressions"}), rf"no column '{re.escape(SEEN)}'"),
        (lambda frame: frame.assign(age_hours="old"), "numeric column 'age_hours' is string"),
        (
            lambda frame: frame.assign(device=[1, "a"] * (len(frame) // 2)),
            "column 'device' has values of several types",
        ),
        (lambda frame: pd.concat([frame, frame[["device"]]], axis=1), "'device' stands there more than once"),
    ],
)
def test_a_bad_table_is_named(trained: Trained, change: Callable[[pd.DataFrame], pd.DataFrame], said: str) -> None:
    with pytest.raises(FeedLogError, match=said):
        trained.model.score(change(trained.held_out.to_pandas()))


def test_columns_that_nothing_reads_may_hold_anything(trained: Trained) -> None:
    frame = trained.held_out.to_pandas().assign(notes=[object()] * 600)
    assert len(trained.model.score(frame)) == 600


def test_a_table_without_rows(trained: Trained) -> None:
    none = trained.held_out.slice(0, 0)
    assert trained.model.score(none).num_rows == 0
    assert trained.model.rank(none).num_rows == 0
    with pytest.raises(ValueError, match="no rows"):
        trained.model.evaluate(none)


def test_something_else_than_a_table_is_refused() -> None:
    with pytest.raises(TypeError, match="got dict"):
        to_arrow({"a": [1]}, ["a"])  # type: ignore[type-var]


def test_the_manifest_has_the_keys(trained: Trained) -> None:
    assert trained.model.manifest.config["keys"]["session"] == CONFIG.keys.session


def test_importing_the_package_is_fast() -> None:
    code = "import sys, ranker; assert {'load', 'train', 'Model'} <= set(dir(ranker)); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "pyarrow", "numpy", "pandas", "xgboost", "apache_beam"} & set(done.stdout.split())
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = ranker.nothing
