"""Two models on the same day: paired differences, and one sentence for what cannot be compared."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pipeline_config
import ranker
from pipeline.compare import _columns, main
from ranker.config.columns import History
from ranker.config.effects import EffectLevel, Effects
from ranker.config.forest import Forest
from ranker.config.rows import Rows
from ranker.config.timestamps import Timestamps
from ranker.evaluation.evaluation import Evaluation
from ranker.feed_log.columns import columns_of
from ranker.histories.tables import day_tables
from ranker.scoring.loading import load_model
from ranker.towers.loss_watch import TrainingDivergedError
from tests.ranker.trained import CONFIG, Trained, small_config, too_large
from tests.small_feed_log import EVAL_DAY

pytestmark = pytest.mark.slow


COHORTS = History("cohorts", of="cohort", actions=("like",))


@pytest.fixture(scope="module")
def weak(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model of the same log with a forest of two trees, next to no training, and histories."""
    folder = tmp_path_factory.mktemp("weak")
    training = replace(CONFIG.training, epochs=1, batch_size=5_000, learning_rate=1e-6)
    config = replace(
        CONFIG,
        features=replace(CONFIG.features, history=(COHORTS,)),
        forest=Forest(trees=2, depth=1, early_stopping_rounds=0),
        training=training,
    )
    return ranker.train(small_config(folder, config), trained.feed_log, EVAL_DAY, folder / "model").location


def test_a_better_model_is_significantly_better(
    trained: Trained, weak: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, page = tmp_path / "evaluation.json", tmp_path / "comparison.html"
    arguments = [trained.model.location, weak, "--feed-log", str(trained.feed_log), "--json", str(file)]
    arguments += ["--report", str(page)]

    assert main([*arguments, "--slice", "device"]) == 0

    printed = capsys.readouterr().out
    assert f"A: {trained.model.location}\nB: {weak}\n{EVAL_DAY}: 600 impressions" in printed
    assert "device=ios:" in printed
    evaluation = Evaluation.from_json(file.read_text())
    comparison = evaluation.objectives["click"].comparison
    assert comparison is not None
    assert comparison.auc_drop.upper < 0
    row = next(line for line in printed.splitlines() if line.startswith("click"))
    assert f"{-comparison.auc_drop.value:+.4f}* [" in row
    text = page.read_text()
    assert "<h1>A is significantly better in AUC of click" in text
    assert f"{EVAL_DAY}" in text
    assert f">{-comparison.auc_drop.value:+.4f}<small>{-comparison.auc_drop.upper:+.4f} to " in text
    assert {table for table in ("objectives", "utility", "slices") if f'id="table-{table}"' in text} == {
        *("objectives", "utility", "slices")
    }
    assert trained.model.location in text
    assert weak in text
    assert "http" not in text.replace("http://www.w3.org", "")


def test_a_config_is_trained_on_the_days_before_and_compared(
    trained: Trained, weak: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same config as the model's gives the same model, so nothing differs."""
    config = replace(trained.config, effects=Effects((EffectLevel("viewer_id"),)))  # which no training fits
    monkeypatch.setitem(pipeline_config.CONFIGS, "small", config)
    page = tmp_path / "comparison.html"
    log = str(trained.feed_log)
    assert main(["small", trained.model.location, "--feed-log", log, "--report", str(page)]) == 0
    printed = capsys.readouterr().out
    days = sorted(load_model(trained.model.location).description.manifest.trained_days)
    assert f"A: config small; trained on {days[0]} to {days[-1]} in " in printed
    assert printed.splitlines()[0].endswith(
        "s; without the random effects of its config, which need a model that was pushed before"
    )
    assert "without" not in printed.splitlines()[1]
    assert "+0.0000 [+0.0000, +0.0000]" in printed
    assert "<h1>A and B do not differ significantly.</h1>" in page.read_text()
    assert "A: config small; trained on" in page.read_text()


def test_a_model_reads_the_histories_that_the_log_lacks(trained: Trained, weak: str, tmp_path: Path) -> None:
    model = ranker.load(weak)
    assert "cohorts" in model.features
    columns = columns_of(CONFIG.objectives, replace(CONFIG.features, history=(COHORTS,)), CONFIG.keys)
    [located] = day_tables(trained.feed_log, EVAL_DAY, columns, 1000)
    read = pa.Table.from_batches([located.rows])
    assert read.drop_columns(["cohorts"]).equals(trained.held_out)
    assert max(map(len, read.column("cohorts").to_pylist())) == 50

    file = tmp_path / "evaluation.json"
    assert main([weak, trained.model.location, "--feed-log", str(trained.feed_log), "--json", str(file)]) == 0
    compared = Evaluation.from_json(file.read_text()).objectives["like"].candidate.normalized_entropy.value
    # A table without the column is one of viewers without a history.
    with_histories, without = model.evaluate(read), model.evaluate(trained.held_out)
    assert with_histories.objectives["like"].candidate.normalized_entropy.value == pytest.approx(compared, rel=1e-9)
    assert without.objectives["like"].candidate.normalized_entropy.value != pytest.approx(compared, rel=1e-9)
    why = model.explain(read.slice(0, 5))
    total = sum((why.column(name).to_numpy() for name in model.features), why.column("baseline").to_numpy())
    np.testing.assert_allclose(total, why.column("log_odds").to_numpy(), atol=1e-4)


def test_histories_are_of_the_rows_of_the_model_that_reads_them() -> None:
    people = replace(CONFIG, rows=Rows(where=[("is_bot", "==", False)]))
    of_people, of_all = (
        replace(one, features=replace(CONFIG.features, history=(COHORTS,))) for one in (people, CONFIG)
    )
    for first, second, where in (
        (of_people, CONFIG, people.rows.where),
        (CONFIG, of_people, people.rows.where),
        (people, of_all, ()),
        (of_people, of_people, people.rows.where),
        (people, CONFIG, people.rows.where),
    ):
        assert _columns(first, second).rows.where == where  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"A and B have histories and different conditions rows\.where"):
        _columns(of_people, of_all)  # type: ignore[arg-type]


def test_a_model_does_not_differ_from_itself(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    place = trained.model.location

    assert main([place, place, "--feed-log", str(trained.feed_log), "--day", str(EVAL_DAY)]) == 0

    printed = capsys.readouterr().out
    assert "+0.0000 [+0.0000, +0.0000]" in printed
    assert "*" not in printed.replace("* is significant", "")


def test_an_objective_of_one_model_is_not_left_out_silently(
    trained: Trained, weak: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load_model(weak)
    only_click = replace(model.description, objectives=model.description.objectives[:1])
    loaded = {weak: replace(model, description=only_click), trained.model.location: load_model(trained.model.location)}
    monkeypatch.setattr("ranker.scoring.loading.load_model", lambda place: loaded[place])
    page = tmp_path / "comparison.html"
    arguments = ["--feed-log", str(trained.feed_log), "--report", str(page)]

    assert main([trained.model.location, weak, *arguments]) == 0
    assert "A alone predicts like: not compared, as B does not" in capsys.readouterr().out
    assert "B does not predict like, so these were not compared." in page.read_text()

    assert main([weak, trained.model.location, *arguments]) == 0
    assert "B alone predicts like: not compared, as A does not" in capsys.readouterr().out
    assert "alone predicts like: not compared, as A does not" in page.read_text()


def test_what_cannot_be_compared_is_one_sentence(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, log = trained.model.location, str(trained.feed_log)
    for arguments, said in (
        ([place, str(tmp_path), "--feed-log", log], "it is no model"),
        ([place, "smal", "--feed-log", log], "B: there is no model at smal, and the configs are feed"),
        ([place, place, "--feed-log", str(tmp_path / "nothing")], "there is no such folder"),
        (
            [place, place, "--feed-log", log, "--day", "2001-01-01"],
            f"feed log {log}: no folder day-2001-01-01; days there: 2024-03-01",
        ),
        (
            [place, place, "--feed-log", log, "--slice", "continent"],
            f"{log}/day-{EVAL_DAY}/part-0.parquet: no column 'continent'",
        ),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        assert said in error


def test_a_day_that_cannot_be_evaluated_is_one_sentence_with_file_and_row(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, part = trained.model.location, tmp_path / f"day-{EVAL_DAY}" / "part-1.parquet"
    part.parent.mkdir()
    rows = trained.held_out
    at = rows.schema.get_field_index("click")
    clicks = [2 if row == 7 else value for row, value in enumerate(rows["click"].to_pylist())]
    pq.write_table(rows, part.with_name("part-0.parquet"))
    for changed, said in (
        (rows.set_column(at, "click", [clicks]), "objective column 'click', row 7: 2; an objective is 0 or 1"),
        (too_large(rows, 7), "rows 0 to 599: cannot be scored: content: numbers too large to be scored\n"),
        (rows, f"a copy of {part.with_name('part-0.parquet')}, byte for byte"),
    ):
        pq.write_table(changed, part)
        assert main([place, place, "--feed-log", str(tmp_path)]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"error: {part}: {said}")
        assert error.count("\n") == 1


def test_a_training_that_diverges_is_one_sentence(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def train(*arguments: object) -> None:
        raise TrainingDivergedError("towers: the loss is NaN")

    monkeypatch.setitem(pipeline_config.CONFIGS, "small", trained.config)
    monkeypatch.setattr("ranker.api.train", train)
    assert main([trained.model.location, "small", "--feed-log", str(trained.feed_log)]) == 2
    assert capsys.readouterr().err == "error: B: config small: towers: the loss is NaN\n"


def test_the_day_is_checked_by_the_limits_of_the_configs(trained: Trained) -> None:
    assert load_model(trained.model.location).description.timestamps == trained.config.timestamps
    early, late = (replace(CONFIG, timestamps=Timestamps(*hours)) for hours in ((20.0, 0.0), (0.0, 20.0, 0.1)))
    assert _columns(early, late).timestamps == Timestamps(20.0, 20.0, 0.1)  # type: ignore[arg-type]


def test_a_model_that_was_trained_on_the_day_is_named(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    place = trained.model.location
    assert main([place, place, "--feed-log", str(trained.feed_log), "--day", "2024-03-03"]) == 0
    assert "it was trained on this day" in capsys.readouterr().out
