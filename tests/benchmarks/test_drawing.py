from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.drawing import save_svg


def _drawn(file: Path, values: list[float]) -> bytes:
    figure = Figure()
    axes = figure.subplots()
    axes.plot(values, marker="o", label="ours")
    axes.legend()
    save_svg(figure, file)
    return file.read_bytes()


def test_the_same_numbers_give_the_same_file_and_others_another(tmp_path: Path) -> None:
    first = _drawn(tmp_path / "docs" / "costs.svg", [1.0, 2.0, 4.0])

    assert _drawn(tmp_path / "docs" / "costs.svg", [1.0, 2.0, 4.0]) == first
    assert _drawn(tmp_path / "docs" / "costs.svg", [1.0, 2.0, 5.0]) != first
