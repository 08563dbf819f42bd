"""The figures that docs/studies.md copies are those of the studies' pages."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
DATA = ("kuairand", "feed")
# The rarest objective is the last one of each data set.
VARIANCE = {
    "Adam, labels alone": "adam",
    "AdamW, labels alone": "adamw",
    "Adagrad, labels alone": "adagrad",
    "Adam, with distillation and the forest's share": "default",
}
SAMPLING = (
    ("10% of an objective's negatives, uncorrected",),
    ("10% of an objective's negatives, weights", "10% of an objective's negatives, shift"),
    ("10% of unengaged impressions, uncorrected",),
    ("10% of unengaged impressions, weights",),
    ("default, 10% of unengaged impressions, weights",),
)


def part(text: str, heading: str) -> str:
    """The text below a heading, up to the next one of its level."""
    level = heading.split(" ")[0]
    return re.split(rf"^{level} ", text.split(f"{heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the rows of all tables, without their headings."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rules = [i for i, line in enumerate(lines) if set(line) <= set("|-: ")]
    kept = [line for i, line in enumerate(lines) if i not in rules and i + 1 not in rules]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in kept]


def copied(study: str) -> list[list[str]]:
    return rows(part((DOCS / "studies.md").read_text(), f"## `{study}`"))


def of_page(study: str, data: str, table: str = "Comparison") -> dict[str, list[str]]:
    """Variant → the other cells of its row."""
    text = part((DOCS / f"study_{study}.md").read_text(), f"## {data}")
    return {name: cells for name, *cells in rows(part(text, f"### {table}"))}


def number(text: str) -> float:
    return float(text.replace("−", "-"))


@pytest.mark.parametrize("study", ["choices", "finalists", "forest"])
def test_differences_and_their_significance_are_those_of_the_page(study: str) -> None:
    for name, *cells in copied(study):
        for data, cell in zip(DATA, cells, strict=True):
            # The page subtracts the variant from the default.
            worse, half = (number(text) for text in of_page(study, data)[name][1].split(" ± "))
            if cell == "0":
                assert (worse, half) == (0.0, 0.0), name
                continue
            found = re.fullmatch(r"([+−][\d.]+) ± ([\d.]+)(, not significant)?", cell)
            assert found, cell
            rounding = 0.5 * 10.0 ** -len(found[2].split(".")[1]) + 1e-9
            assert number(found[1]) == pytest.approx(-worse, abs=rounding), (name, data)
            assert number(found[2]) == pytest.approx(half, abs=rounding), (name, data)
            assert (found[1][0] == "+") == (worse < 0), (name, data)
            assert (found[3] is not None) == (abs(worse) <= half), (name, data)


def test_deviations_of_the_rarest_objective_are_those_of_the_page() -> None:
    found = copied("variance")
    assert [name for name, *_ in found] == list(VARIANCE)
    for name, *cells in found:
        expected = [
            re.findall(r"sd ([\d.]+)", of_page("variance", data, "AUC")[f"{VARIANCE[name]}, warm-up {share}"][-1])[0]
            for data in DATA
            for share in ("0%", "10%")
        ]
        assert cells == expected, name


def test_ranges_of_o_over_e_are_those_of_the_page() -> None:
    found = copied("sampling")
    assert len(found) == len(SAMPLING)
    for (*_, kuairand, feed), variants in zip(found, SAMPLING, strict=True):
        for data, cell in zip(DATA, (kuairand, feed), strict=True):
            *ratios, _ = zip(*(of_page("sampling", data)[variant][1:] for variant in variants), strict=True)
            values = [text.split(" ± ")[0] for of_objective in ratios for text in of_objective]
            lowest, highest = min(values, key=float), max(values, key=float)
            assert re.sub(r" \(.*\)", "", cell) == f"{lowest} to {highest}", (variants, data)
