"""The page in a real browser, at a phone's and a desktop's width."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from ranker.reports.calibration.page import report_page
from tests.ranker.reports.browser import WIDTHS, assert_sound, browser, show, show_printed
from tests.ranker.reports.documents import bare_inputs, refused_inputs

FIGURES = 3 * 2 + 1 + 4 + 1
"""Three for each of two objectives, the heat map, four of the training, and the days."""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def report(page: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_it_opens_without_an_error_a_gap_or_an_overflow(driver: Any, report: Path, width: int) -> None:
    show(driver, report, width)
    assert_sound(driver, FIGURES)


def test_nothing_is_cut_off_in_print(driver: Any, report: Path) -> None:
    show_printed(driver, report)
    assert_sound(driver, FIGURES)
    assert not driver.find_element(By.TAG_NAME, "nav").is_displayed()


@pytest.mark.slow
def test_pages_of_a_refused_model_and_of_almost_no_data_open_too(driver: Any, tmp_path: Path) -> None:
    for name, inputs, figures in (("refused", refused_inputs(), FIGURES), ("bare", bare_inputs(), 9)):
        path = tmp_path / f"{name}.html"
        path.write_text(report_page(inputs))
        for width in WIDTHS:
            show(driver, path, width)
            assert_sound(driver, figures)


def test_figures_follow_the_colour_scheme(driver: Any, report: Path) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        show(driver, report, 1280, scheme)
        text, page = (
            driver.execute_script(f"return getComputedStyle(document.querySelector('{selector}')).{style}")
            for selector, style in (("svg text", "fill"), ("body", "backgroundColor"))
        )
        colours[scheme] = (text, page)
    assert colours["light"][0] != colours["dark"][0]
    assert colours["light"][1] == "rgb(255, 255, 255)"
    assert colours["dark"][1] != "rgb(255, 255, 255)"


@pytest.mark.slow
def test_a_title_sorts_its_column_with_undefined_values_last(driver: Any, report: Path) -> None:
    show(driver, report, 1280)
    driver.execute_script("document.querySelectorAll('details').forEach((details) => { details.open = true; });")
    table = driver.find_element(By.ID, "table-features")

    def column(index: int) -> list[str]:
        return [row.find_elements(By.TAG_NAME, "td")[index].text for row in table.find_elements(By.TAG_NAME, "tr")[1:]]

    titles = table.find_elements(By.TAG_NAME, "button")
    drift = [title.text for title in titles].index("drift")
    titles[drift].click()
    assert column(drift) == ["0.0900", "0.0200", "–"]
    titles[drift].click()
    assert column(drift) == ["0.0200", "0.0900", "–"]
    titles[0].click()
    assert column(0) == ["age", "device", "legacy"]
    sorts = [header.get_attribute("aria-sort") for header in table.find_elements(By.TAG_NAME, "th")]
    assert sorts == ["ascending", *[None] * (len(sorts) - 1)]
