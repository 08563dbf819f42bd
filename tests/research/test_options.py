"""The command line that the research programs share."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.pages import Page
from research.options import ProgramParser, command, show_and_write, work_folder


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


def test_the_work_folder_is_the_given_one_or_a_temporary_one(tmp_path: Path) -> None:
    with work_folder(_parser().parse_args(["--work", str(tmp_path / "." / "kept")]), "quality") as work:
        assert work == tmp_path / "kept"
    with work_folder(_parser().parse_args([]), "quality") as work:
        assert work.name.startswith("quality-")
        assert work.is_dir()
    assert not work.exists()


def test_tables_are_printed_and_written_into_the_page(tmp_path: Path) -> None:
    printed = io.StringIO()
    tables = f"From `{command('research.quality', '--models', 'LR on leaves')}`."
    show_and_write(None, "Quality", tables, Console(file=printed))
    show_and_write(Page(tmp_path / "page.md", "research.quality"), "Quality", tables, Console(file=io.StringIO()))
    assert printed.getvalue() == "From `uv run python -m research.quality --models 'LR on leaves' --page FILE`.\n"
    assert (tmp_path / "page.md").read_text().startswith("# Quality\n")
    assert tables in (tmp_path / "page.md").read_text()
