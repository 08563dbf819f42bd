"""The benchmark of the pipeline's components, on a feed too small to measure anything."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
import tensorflow as tf
from rich.console import Console

from benchmarks.component_speed import PreparedFeed, feed_log_gen, in_memory, leaf_encoder, tower_trainer
from benchmarks.forest_speed import ForestRows, forest_trainer
from benchmarks.full_run import ComponentCost, FullRun
from benchmarks.peak_memory import Usage
from benchmarks.pipeline import complete_run_figures, main, prepare
from pipeline_config import CONFIGS


def test_all_sizes_but_the_largest_run_before_and_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[int, Path, str | None]] = []

    def full_run(rows: int, folder: Path, beam_args: str | None) -> FullRun:
        started.append((rows, folder, beam_args))
        seconds = float(rows * len(started))  # each run takes longer than the one before
        return FullRun(rows, Usage(0, 1, seconds), {"Transform": ComponentCost(rows, seconds, seconds)})

    monkeypatch.setattr("benchmarks.pipeline.full_run", full_run)

    figures = complete_run_figures([3000, 1000, 2000], False, tmp_path, Console(file=io.StringIO()), "--beam")

    assert [(rows, beam_args) for rows, _, beam_args in started] == [
        *((1000, None), (2000, "--beam"), (3000, "--beam"), (2000, "--beam"), (1000, None))
    ]
    assert len({folder for _, folder, _ in started}) == 5
    speeds = [figure.ratio for figure in figures if figure.name.startswith("rows_per_second")]
    assert speeds == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("sizes", [["1000"], ["1000", "1000"], ["1000", "1003"]])
def test_one_size_is_an_error(sizes: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--complete-runs", *sizes])
    assert "give two sizes or more" in capsys.readouterr().err


@pytest.mark.slow
def test_batches_from_memory_are_those_that_were_read() -> None:
    rows = tf.data.Dataset.from_tensor_slices({"x": tf.range(10), "y": tf.reshape(tf.range(20.0), [10, 2])})
    batches = rows.take(6).batch(4).concatenate(rows.skip(6).batch(4))

    found = list(in_memory(batches).as_numpy_iterator())

    assert [len(batch["x"]) for batch in found] == [4, 2, 4]
    for batch, expected in zip(found, batches.as_numpy_iterator(), strict=True):
        assert batch["x"].tolist() == expected["x"].tolist()
        assert batch["y"].tolist() == expected["y"].tolist()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedFeed:
    """The pipeline's artifacts of a small feed."""
    return prepare(4000, CONFIGS["feed-first-pass"], tmp_path_factory.mktemp("prepared"), Console(file=io.StringIO()))


@pytest.mark.slow
def test_every_figure_is_measured_on_the_rows_of_the_feed(prepared: PreparedFeed, tmp_path: Path) -> None:
    figures = [feed_log_gen(prepared, tmp_path), leaf_encoder(prepared, tmp_path, 1), tower_trainer(prepared, 1)]

    assert [figure.name for figure in figures] == ["feed_log_gen", "leaf_encoder", "tower_trainer"]
    assert all(figure.ours > 0 and figure.rival > 0 for figure in figures)
    assert "4,000 rows" in figures[0].note
    assert "3,500 rows" in figures[2].note


@pytest.mark.slow
def test_the_forest_is_trained_on_all_files_on_every_fifth_and_without_a_sample(prepared: PreparedFeed) -> None:
    config = prepared.config
    rows = ForestRows(prepared.transformed_examples, config.features.forest_names, config.objective_names)
    by_rows, by_sample, entropy = forest_trainer(rows, replace(config.forest, sample_rows=1_500), quick=True)

    assert "on 3,500 and 1,000 rows" in by_rows.note
    assert by_rows.target is None
    assert "a sample of the 3,500 rows" in by_sample.note
    assert 0.5 < entropy.ours < 1.1
    assert 0.5 < entropy.rival < 1.1
    assert entropy.ours != entropy.rival
    for enough in (None, 4_000):
        assert len(forest_trainer(rows, replace(config.forest, sample_rows=enough), quick=True)) == 1
