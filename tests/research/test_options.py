"""The command line that the research programs share."""

from pathlib import Path

import pytest

from benchmarks.pages import Page
from research.options import ProgramParser, command, seeds_of


def _parser() -> ProgramParser:
    parser = ProgramParser(
        "research.quality", "Our model's quality.", picture="a picture", continues_from="the predictions"
    )
    parser.add_quick()
    parser.add_data("kuairand")
    parser.add_number("--seeds", "trainings of each model (5)")
    parser.add_number("--processes", "seeds at a time (1)", default=1)
    parser.add_some_of("--models", ["ours", "TabM", "PLE"], "only these models")
    parser.add_work()
    return parser


def test_options_that_are_not_given_mean_the_usual_run() -> None:
    options = _parser().parse_args([])
    assert vars(options) == {
        "json": None,
        "page": None,
        "quick": False,
        "data": "kuairand",
        "seeds": None,
        "processes": 1,
        "models": ["ours", "TabM", "PLE"],
        "work": None,
    }


def test_options_are_read_in_their_types(tmp_path: Path) -> None:
    page, figures = tmp_path / "page.md", tmp_path / "figures.json"
    given = [
        *("--page", str(page), "--json", str(figures), "--quick", "--data", "feed", "--seeds", "2"),
        *("--processes", "3", "--models", "ours", "PLE", "--work", str(tmp_path)),
    ]
    options = _parser().parse_args(given)
    assert options.page == Page(page, "research.quality")
    assert (options.json, options.quick, options.data, options.seeds) == (figures, True, "feed", 2)
    assert (options.processes, options.models, options.work) == (3, ["ours", "PLE"], tmp_path)


@pytest.mark.parametrize("wrong", [["--seeds", "0"], ["--models", "theirs"], ["--data", "news"]])
def test_a_wrong_value_is_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        _parser().parse_args(wrong)


def test_the_help_names_the_command_and_says_what_is_written_where() -> None:
    text = " ".join(_parser().format_help().split())
    assert text.startswith("usage: python -m research.quality [-h]")
    assert "write the tables into this page, and a picture into its folder" in text
    assert "a small feed, one seed: a smoke test" in text
    assert "--models NAME [NAME ...] only these models: ours, TabM, PLE (all)" in text
    assert text.endswith("A stopped run continues from the predictions.")
    plain = ProgramParser("research.open_bandit", "Off-policy estimates.", tables="the table").format_help()
    assert "write the table into this page\n" in plain
    assert "stopped" not in plain


def test_seeds_are_as_many_as_asked_for_or_usual() -> None:
    assert list(seeds_of(_parser().parse_args(["--seeds", "3"]), usual=5)) == [1, 2, 3]
    assert len(seeds_of(_parser().parse_args([]), usual=5)) == 5
    assert len(seeds_of(_parser().parse_args(["--quick"]), usual=5)) == 1
    assert len(seeds_of(_parser().parse_args(["--quick"]), usual=20, quick=2)) == 2


def test_the_command_of_a_page_can_be_pasted() -> None:
    assert command("research.quality", "--models", "LR on leaves", quick=True) == (
        "uv run python -m research.quality --quick --models 'LR on leaves' --page FILE"
    )
