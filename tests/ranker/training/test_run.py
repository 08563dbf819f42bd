"""Transformed rows that several trainings share, and a training that ends after the forest."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ranker.config.forest import Forest
from ranker.feed_log.layout import day_folder_name
from ranker.forest.curve import TrainingCurve
from ranker.training import run
from ranker.training.run import run_training
from tests.ranker.trained import small_config, write_log
from tests.small_feed_log import EVAL_DAY


class EnoughError(Exception):
    """Ends a training."""


@pytest.mark.slow
def test_rows_are_transformed_once_and_a_caller_can_end_the_training_after_the_forest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_log(tmp_path / "log", rows=300)
    twice = tmp_path / "log" / day_folder_name(EVAL_DAY - timedelta(days=1))
    rows_again = pq.read_table(twice / "part-0.parquet")
    pq.write_table(rows_again.take(list(reversed(range(300)))), twice / "part-1.parquet")
    config, rows = small_config(tmp_path), tmp_path / "kept" / "rows"
    curves: list[TrainingCurve] = []

    def enough(curve: TrainingCurve) -> None:
        curves.append(curve)
        raise EnoughError

    def grown(forest: Forest) -> None:
        with pytest.raises(EnoughError):
            run_training(
                replace(config, forest=forest), tmp_path / "log", EVAL_DAY, str(tmp_path / "model"), rows, enough
            )

    grown(config.forest)
    assert sorted(path.name for path in rows.parent.iterdir()) == ["rows"]
    assert not (tmp_path / "model").exists()
    [warning] = [record.message for record in caplog.records if "repeat another row" in record.message]
    assert warning.startswith(f"{twice}: 300 of the 600 rows repeat another row of the day")
    monkeypatch.delattr(run, "analyse_and_transform")
    grown(config.forest)
    grown(replace(config.forest, depth=1))
    first, same, other = curves
    assert same == first
    assert min(other.validation) != min(first.validation)
