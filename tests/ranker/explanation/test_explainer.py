"""Explanations of a trained model add up to what it serves, and find what the outcomes depend on."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import ranker
from ranker import explain
from ranker.config.columns import Categorical, Features
from ranker.config.effects import EffectLevel, Effects
from ranker.config.pipeline import PipelineConfig
from ranker.config.rows import Rows
from ranker.config.serving import Serving
from ranker.config.towers import Isotonic
from ranker.effects.state import Basis, EffectState
from ranker.effects.table import EffectTable
from ranker.export.fitted_effects import FittedState, install_effects
from ranker.features.fingerprints import fingerprints_of
from ranker.registry.layout import MANIFEST, STATE
from ranker.scoring.model import Model
from ranker.storage import copy_folder
from tests.ranker.trained import CONFIG, Trained, rows_of, small_config, too_large, write_log
from tests.small_feed_log import EVAL_DAY

pytestmark = pytest.mark.slow

FEATURES = list(CONFIG.features.names)


def _served_log_odds(model: Model, rows: pa.Table) -> np.ndarray:
    scores = model.score(rows)
    p = np.stack([scores[name].to_numpy() for name in model.objectives], axis=1).astype(np.float64)
    return np.log(p) - np.log1p(-p)


def _check_sums(model: Model, rows: pa.Table, keep: list[str] | None = None) -> pd.DataFrame:
    why = model.explain(rows, keep).to_pandas()
    total = why["baseline"] + why[list(model.features)].sum(axis=1)
    np.testing.assert_allclose(total, why["log_odds"], atol=1e-5)
    np.testing.assert_allclose(why["log_odds"], _served_log_odds(model, rows).ravel(), atol=1e-3)
    return why


def test_contributions_add_up_to_the_served_log_odds(trained: Trained) -> None:
    rows = trained.held_out.slice(0, 200)

    why = _check_sums(trained.model, rows)

    assert list(why.columns) == [
        *("session_id", "viewer_id", "item_id", "timestamp", "objective", "log_odds", "baseline"),
        *FEATURES,
    ]
    assert why["objective"].tolist() == ["click", "like"] * 200
    assert why["item_id"].tolist() == np.repeat(rows["item_id"].to_pylist(), 2).tolist()
    assert why.groupby("objective")["baseline"].nunique().tolist() == [1, 1]


def test_the_columns_that_an_outcome_depends_on_explain_it(trained: Trained) -> None:
    why = trained.model.explain(trained.held_out.slice(0, 300)).to_pandas()
    clicks = why[why["objective"] == "click"]
    sizes = clicks[FEATURES].abs().mean()
    assert sizes.idxmax() == "age_hours"
    assert sizes["topics"] > sizes["cohort"]
    # An old item is clicked less: the contribution falls with the age.
    age = trained.held_out["age_hours"].to_pandas().iloc[:300].to_numpy()
    known = ~np.isnan(age)
    contributed = clicks["age_hours"].to_numpy()
    assert np.corrcoef(np.log(age[known]), contributed[known])[0, 1] < -0.7


def test_a_column_without_influence_has_no_contribution(trained: Trained) -> None:
    """Two rows that differ in one column differ in log-odds by what the contributions differ by."""
    row = trained.held_out.slice(0, 1)
    at = row.schema.get_field_index("device")
    two = pa.concat_tables([row.set_column(at, "device", [[value]]) for value in ("ios", "web")])
    why = _check_sums(trained.model, two)
    by_row = why.set_index("objective").loc["click"]
    difference = by_row[FEATURES].iloc[1] - by_row[FEATURES].iloc[0]
    assert difference.sum() == pytest.approx(by_row["log_odds"].iloc[1] - by_row["log_odds"].iloc[0], abs=1e-5)


def test_an_index_and_a_table_without_rows(trained: Trained) -> None:
    frame = trained.held_out.slice(0, 3).to_pandas().set_index(pd.Index(["a", "b", "c"]))
    assert trained.model.explain(frame, keep=[]).index.tolist() == ["a", "a", "b", "b", "c", "c"]
    assert trained.model.explain(trained.held_out.slice(0, 0)).num_rows == 0


def _variant(tmp_path: Path, config: PipelineConfig) -> Model:
    write_log(tmp_path / "log", 200)
    return ranker.train(small_config(tmp_path, config), tmp_path / "log", EVAL_DAY, tmp_path / "model")


def test_calibrated_by_a_key_quantised_and_one_tower_without_numbers(tmp_path: Path) -> None:
    # The key viewer_id is a feature as well.
    categorical = (Categorical("device"), Categorical("cohort", vocabulary_size=2), Categorical("viewer_id"))
    features = replace(CONFIG.features, categorical=categorical)
    towers = replace(
        CONFIG.towers, isotonic=Isotonic(by="device"), numeric_input=False, cross_rank=0, shared=True, members=1
    )
    config = replace(CONFIG, features=features, towers=towers, serving=Serving(leaf_table="int8"))
    model, rows = _variant(tmp_path, config), rows_of(60, 9)
    assert _check_sums(model, rows, keep=[])["viewer_id"].any()
    assert model.explain(rows).to_pandas()["viewer_id"].tolist() == np.repeat(rows["viewer_id"], 2).tolist()
    assert model.evaluate(rows, slices=[["viewer_id"]]).impressions == 60


def test_the_towers_alone_without_embeddings_of_categories(tmp_path: Path) -> None:
    forest = replace(CONFIG.forest, target="any")
    towers = replace(CONFIG.towers, forest_share=0.0, categorical_embedding_size=0, dense_input="none")
    training = replace(CONFIG.training, distillation=0.0)
    config = replace(CONFIG, forest=forest, towers=towers, training=training)
    _check_sums(_variant(tmp_path, config), rows_of(60, 9))


def test_towers_without_a_forest_and_random_effects(tmp_path: Path) -> None:
    effects = Effects((EffectLevel("viewer_id", inputs=("content",)), EffectLevel("author")), components=2)
    config = replace(
        CONFIG,
        forest=replace(CONFIG.forest, trees=0),
        towers=replace(CONFIG.towers, forest_share=0.0),
        training=replace(CONFIG.training, distillation=0.0),
        effects=effects,
    )
    model = _variant(tmp_path, config)
    rows = rows_of(60, 9)
    why = _check_sums(model, rows)
    assert not why["topics"].any()  # the towers know topics by their leaves alone
    assert why["author"].any()
    assert ranker.load(model.location).manifest.trees == 0
    _check_random_effects(model, effects, config.features, rows)


def _check_random_effects(model: Model, effects: Effects, features: Features, rows: pa.Table) -> None:
    """An effect adds to the column of its id, which the towers may read too."""
    before = model.explain(rows, keep=[]).to_pandas()
    assert model.ids == ("viewer_id",)
    assert not before["viewer_id"].any()  # no effect is fitted yet
    tables = []
    for level, inputs in (("viewer_id", 1 + 2), ("author", 1)):
        ids = np.unique(fingerprints_of(str(one) for one in set(rows[level].to_pylist()) - {None}))
        mean = (
            np.random.default_rng(inputs).normal(0, 0.3, (len(ids), len(model.objectives), inputs)).astype(np.float32)
        )
        tables.append(EffectTable(ids, mean, np.ones_like(mean), np.full(len(ids), 20, np.float32)))
    size = features.embeddings["content"]
    basis = Basis({"content": (np.zeros(size, np.float32), np.eye(size, 2, dtype=np.float32))}, {})
    state = EffectState("", 0, (), basis, (tables[0], tables[1]))
    install_effects(Path(model.location), effects, features, FittedState(state, 20, ""))
    with_effects = ranker.load(model.location)
    after = with_effects.explain(rows, keep=[]).to_pandas()
    np.testing.assert_allclose(after["log_odds"], _served_log_odds(with_effects, rows).ravel(), atol=1e-3)
    contributions = after[[*with_effects.features, *with_effects.ids]].sum(axis=1)
    np.testing.assert_allclose(after["baseline"] + contributions, after["log_odds"], atol=1e-5)
    content = np.stack(rows["content"].to_pylist())[:, :2]
    viewers, authors = (
        table.effect(fingerprints_of("" if one is None else str(one) for one in rows[level].to_pylist()), x).ravel()
        for table, level, x in zip(
            tables,
            ("viewer_id", "author"),
            (np.concatenate([np.ones((len(rows), 1)), content], axis=1), np.ones((len(rows), 1))),
            strict=True,
        )
    )
    np.testing.assert_allclose(after["viewer_id"], viewers, atol=1e-5)
    np.testing.assert_allclose(after["author"] - before["author"], authors, atol=1e-5)
    assert (authors == 0).sum() == 2 * rows["author"].null_count


def test_towers_of_embeddings_and_ids_alone(tmp_path: Path) -> None:
    """Without a forest, no column has to be one that a forest could read."""
    config = replace(
        CONFIG,
        features=Features(dense=CONFIG.features.dense, ids=CONFIG.features.ids),
        forest=replace(CONFIG.forest, trees=0),
        towers=replace(CONFIG.towers, forest_share=0.0),
        training=replace(CONFIG.training, distillation=0.0),
        slices=(),
    )
    model = _variant(tmp_path, config)
    why = _check_sums(model, rows_of(60, 9))
    assert all(why[name].any() for name in model.features)
    like = model.evaluate(rows_of(400, 9)).objectives["like"].candidate
    assert like.auc.lower > 0.5  # a like depends on the embedding


def test_a_table_in_bfloat16_of_some_weighted_rows(tmp_path: Path) -> None:
    rows = Rows(weight="position", half_life_days=2.0, where=[("position", "in", [1, 3])])
    model = _variant(tmp_path, replace(CONFIG, serving=Serving(leaf_table="bfloat16"), rows=rows))
    _check_sums(model, rows_of(60, 9))
    # A third of the rows is at position 2.
    assert model.manifest.rows == 3 * 133
    assert model.evaluate(rows_of(60, 9)).impressions == 40
    clicks = pa.concat_tables([rows_of(200, back + 2) for back in range(3)])
    kept = clicks.filter(pc.field("position") != 2)
    age = np.repeat([0, 1, 2], 200)[clicks["position"].to_numpy() != 2]
    weight = kept["position"].to_numpy() * 0.5 ** (age / 2.0)
    expected = (kept["click"].to_numpy() * weight).sum() / weight.sum()
    assert model.manifest.base_rates["click"] == pytest.approx(expected, rel=1e-5)


def test_a_model_without_its_state_or_with_another_one_is_refused(trained: Trained, tmp_path: Path) -> None:
    rows = trained.held_out.slice(0, 5)
    copy_folder(trained.model.location, tmp_path / "without")
    (tmp_path / "without" / STATE).rename(tmp_path / "state")
    with pytest.raises(ranker.ModelError, match=r"it has no assets\.extra/training_state"):
        ranker.load(tmp_path / "without").explain(rows)

    copy_folder(trained.model.location, tmp_path / "other")
    manifest = tmp_path / "other" / MANIFEST
    document = json.loads(manifest.read_text())
    document["config"]["towers"]["forest_share"] = 0.9
    manifest.write_text(json.dumps(document))
    with pytest.raises(ranker.ModelError, match="its training state is that of another model"):
        ranker.load(tmp_path / "other").explain(rows)


def test_the_command_line_prints_and_writes(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = ["--model", trained.model.location, "--input", str(trained.feed_log / "day-2024-03-04")]

    assert explain.main([*source, "--rows", "2", "--top", "2"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 2 * (1 + 2)
    assert printed[0].startswith("session_id s1-0, viewer_id ")
    assert printed[1].startswith("  click: log-odds ")
    assert printed[1].endswith(" all others")

    assert explain.main([*source, "--rows", "7", "--output", str(tmp_path / "why.parquet")]) == 0
    assert pq.read_table(tmp_path / "why.parquet").equals(trained.model.explain(trained.held_out.slice(0, 7)))

    assert explain.main([*source[:2], "--input", str(tmp_path / "nothing")]) == 2
    assert "no file matches" in capsys.readouterr().err


def test_the_command_line_explains_the_first_rows_of_several_files(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, log, why = trained.held_out, tmp_path / "log", tmp_path / "why.parquet"
    log.mkdir()
    for name, part in (("a", rows.slice(0, 0)), ("b", rows.slice(0, 3)), ("c", rows.slice(3, 9))):
        pq.write_table(part, log / f"{name}.parquet", row_group_size=2)
    arguments = ["--model", trained.model.location, "--input", str(log), "--rows", "8"]
    assert explain.main([*arguments, "--output", str(why)]) == 0
    found, expected = pq.read_table(why), trained.model.explain(rows.slice(0, 8))
    assert found.schema == expected.schema
    assert found["item_id"].equals(expected["item_id"])
    np.testing.assert_allclose(found["log_odds"], expected["log_odds"], atol=1e-5)
    (log / "b.parquet").unlink()
    (log / "c.parquet").unlink()
    capsys.readouterr()
    assert explain.main(arguments) == 2
    assert capsys.readouterr().err == "error: --input: the files have no rows\n"


def test_rows_that_cannot_be_explained_are_named_by_file(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, log = trained.held_out, tmp_path / "log"
    log.mkdir()
    last = log / "b.parquet"
    pq.write_table(rows.slice(0, 3), log / "a.parquet")
    content = [[float("nan")] * 3 if row == 4 else values for row, values in enumerate(rows["content"].to_pylist())]
    at = rows.schema.get_field_index("content")
    for part, said in (
        (rows.set_column(at, "content", pa.array(content, rows["content"].type)), "dense column 'content', row 4: "),
        (too_large(rows, 4), "rows 0 to 6: cannot be scored: content: numbers too large to be scored\n"),
        (rows.drop_columns(["device"]), "no column 'device'"),
        (None, "cannot be read beyond row 0: "),
    ):
        if part is None:
            pq.write_table(rows, last)
            damaged = bytearray(last.read_bytes())
            damaged[4:400] = b"\xff" * 396
            last.write_bytes(damaged)
        else:
            pq.write_table(part, last)
        assert explain.main(["--model", trained.model.location, "--input", str(log), "--rows", "10"]) == 2
        assert capsys.readouterr().err.startswith(f"error: {last}: {said}")
