"""The recommended batch size, and the parameters file that is written."""

from pathlib import Path

import pytest

from serving.tune_batch import BatchCost, batching_parameters, main, measure, recommend


def _costs(milliseconds: dict[int, float]) -> list[BatchCost]:
    return [BatchCost(size, p50, 1.2 * p50) for size, p50 in milliseconds.items()]


def test_the_smallest_batch_near_the_best_throughput_is_recommended() -> None:
    # 1,000, 8,000, 12,800, 13,653 and 13,653 candidates per second.
    costs = _costs({1: 1.0, 32: 4.0, 128: 10.0, 512: 37.5, 1024: 75.0})

    assert recommend(costs, budget_ms=1000.0).size == 128


def test_the_budget_limits_the_95th_percentile() -> None:
    costs = _costs({1: 1.0, 32: 4.0, 128: 10.0, 512: 37.5})

    assert recommend(costs, budget_ms=11.9).size == 32
    assert recommend(costs, budget_ms=0.5).size == 1


def test_sizes_are_measured_in_alternation() -> None:
    scored: list[int] = []

    costs = measure(scored.append, [1, 8], seconds=0.0)

    assert scored == [1, 8] * 4
    assert [cost.size for cost in costs] == [1, 8]
    assert all(0 < cost.p50_ms <= cost.p95_ms for cost in costs)


@pytest.mark.slow
def test_the_command_measures_a_model_and_writes_what_it_recommends(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.tune_batch.SIZES", (1, 8))

    main(
        ["--models", str(models), "--seconds", "0", "--budget-ms", "60000", "--write", str(tmp_path / "parameters.txt")]
    )

    assert "recommended" in capsys.readouterr().out
    assert "max_batch_size { value: 8 }" in (tmp_path / "parameters.txt").read_text()


def test_a_folder_without_models_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--models", str(tmp_path)])

    assert f"{tmp_path}: holds no numbered model version" in capsys.readouterr().err


def test_the_checked_in_parameters_have_the_written_format() -> None:
    checked_in = (Path(__file__).parents[2] / "deploy/serving/batching_parameters.txt").read_text()

    size = int(checked_in.split("max_batch_size { value: ")[1].split(" ")[0])
    threads = int(checked_in.split("num_batch_threads { value: ")[1].split(" ")[0])
    assert checked_in == batching_parameters(size, threads)
