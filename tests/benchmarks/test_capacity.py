"""Cores, memory, hours and money from two complete runs."""

from pathlib import Path

import pytest

from benchmarks.capacity import OTHERS, Line, Measured, Prices, capacity, main, work
from benchmarks.full_run import ComponentCost, FullRun, compare
from benchmarks.harness import BenchmarkResults, Machine
from benchmarks.peak_memory import Usage


def run(rows: int) -> FullRun:
    """Transform takes 2 s and 10 s a million rows, the towers 20 s a million rows and pass, the report 3 s."""
    costs = {
        "Transform": ComponentCost(rows, 1.0, 2.0 + rows / 100_000),
        "TowerTrainer": ComponentCost(rows, 1.0, 20 * work("TowerTrainer", rows) / 1_000_000),
        "CalibrationReport": ComponentCost(None, 1.0, 3.0),
    }
    return FullRun(rows, Usage(0, (1 << 30) + rows * 1024, 10.0), costs)


@pytest.fixture
def results() -> BenchmarkResults:
    figures = compare(run(200_000), run(1_000_000), with_targets=False)
    return BenchmarkResults("pipeline", False, Machine(2, "x86_64", "3.11"), tuple(figures))


def test_a_line_through_noise_has_no_negative_part() -> None:
    assert Line.through((1.0, 5.0), (2.0, 4.0)) == Line(4.0, 0.0)
    assert Line.through((1.0, 1.0), (2.0, 3.0)) == Line(0.0, 2.0)


def test_more_passes_over_few_impressions_do_not_count_for_many(results: BenchmarkResults) -> None:
    assert work("TowerTrainer", 200_000) > 200_000 / 1_000_000 * work("TowerTrainer", 1_000_000)
    assert Measured.of(results).core_seconds["TowerTrainer"].slope == pytest.approx(20 / 1_000_000)


def test_the_cores_are_enough_for_the_hours(results: BenchmarkResults) -> None:
    needed = capacity(Measured.of(results), 800e6, Prices(hours=4.0, per_core_hour=0.1))
    transform, towers, others = needed.needs
    assert transform.core_hours == pytest.approx(8002 / 3600)
    assert transform.per_million == pytest.approx(10.0)
    assert towers.core_hours == pytest.approx(800 * 2 * 20 / 3600)
    assert others.component == OTHERS
    assert others.hours == pytest.approx(3 / 3600)
    assert needed.total.hours <= 4.0
    assert needed.cores == 3
    assert others.price == pytest.approx(3 * 3 / 3600 * 0.1)
    assert needed.total.price == pytest.approx(0.1 * 3 * needed.total.hours)
    assert needed.gib == pytest.approx(3 + 800e6 * 1024 / (1 << 30))


def test_the_page_is_written_from_the_figures(results: BenchmarkResults, tmp_path: Path) -> None:
    figures, page = tmp_path / "figures.json", tmp_path / "capacity.md"
    figures.write_text(results.to_json())
    assert main(["--figures", str(figures), "--page", str(page), "--price", "0.1"]) == 0
    text = page.read_text()
    assert "on 200,000 and 1,000,000 impressions" in text
    assert "A cold start on 800 million impressions: 3 cores," in text
    assert "| Transform | Beam | 10.0 | 2.2 |" in text


def test_figures_without_complete_runs_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = tmp_path / "figures.json"
    figures.write_text(BenchmarkResults("pipeline", True, Machine.here(), ()).to_json())
    with pytest.raises(SystemExit):
        main(["--figures", str(figures), "--page", str(tmp_path / "capacity.md")])
    assert "no complete runs are among the figures" in capsys.readouterr().err


def test_hours_that_no_number_of_cores_can_meet_are_refused(
    results: BenchmarkResults, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures.json"
    figures.write_text(results.to_json())
    with pytest.raises(SystemExit):
        main(["--figures", str(figures), "--page", str(tmp_path / "capacity.md"), "--hours", "0.0005"])
    assert "--hours: 0.0005 hours are too few: the components that work on one core take 0.000833" in (
        capsys.readouterr().err
    )
