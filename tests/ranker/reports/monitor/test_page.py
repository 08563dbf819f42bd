"""The monitor's page: values beyond their limits are marked, and it opens in a browser."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ranker.monitoring.record import DayRecord
from ranker.reports.monitor.page import monitor_page
from tests.ranker.monitoring.records import broken, healthy, outcome
from tests.ranker.reports.browser import WIDTHS, assert_sound, browser, show

DAYS: Sequence[DayRecord] = (
    *(healthy(f"2026-01-{day:02}") for day in range(8, 11)),
    healthy("2026-01-11", version="1700000001"),
    broken("2026-01-12"),
)


@pytest.fixture(scope="module")
def page() -> str:
    return monitor_page("feed", DAYS)


def svg(page: str, label: str) -> str:
    [found] = [text for text in re.findall(r"<svg.*?</svg>", page, re.DOTALL) if f'aria-label="{label}' in text]
    return found


@pytest.mark.slow
def test_the_newest_days_alarms_are_at_the_top(page: str) -> None:
    head = page[: page.index("<main>")]
    assert '<h1 class="bad">2026-01-12: 4 alarms.</h1>' in head
    assert head.count('<li class="bad">') == 4
    assert "feature topic: frozen: 0 in all 5,000 impressions" in head
    assert "slices by author were left out" in head


@pytest.mark.slow
def test_only_values_beyond_their_limits_are_marked(page: str) -> None:
    frames = r"stroke: var\(--bad\); stroke-width: 1\.6"
    assert len(re.findall(frames, svg(page, "O/E of like by slice and day"))) == 1
    assert len(re.findall(frames, svg(page, "O/E of click by slice and day"))) == 0
    assert len(re.findall(frames, svg(page, "Drift of features as a share of its limit"))) == 2
    assert "1 day beyond the limits" in svg(page, "O/E of like over 5 days")
    assert "0 days beyond the limits" in svg(page, "O/E of click over 5 days")
    assert "Drift and missing values of topic over 5 days" in page
    assert "Drift and missing values of device" not in page


@pytest.mark.slow
def test_names_and_slices_can_have_any_text() -> None:
    """The page of a slice value $$ failed after the push, every day."""
    texts = (
        "$$",
        "$_$",
        "$10-$20",
        "[bold]",
        "<script>alert(1)</script>",
        "two\nlines",
        "\x1b[31m",
        "_x",
        "x" * 70_000,
    )
    whole = replace(DAYS[-1].outcomes[0], slice="")
    outcomes = [replace(whole, objective=text) for text in texts]
    slices = [replace(whole, objective=text, slice=f"device={text}", alarm=f"{text}: beyond") for text in texts]
    features = [replace(DAYS[-1].features[0], feature=text, alarm=f"{text}: frozen") for text in texts]
    day = replace(DAYS[-1], outcomes=(*outcomes, *slices), features=tuple(features), notes=texts)
    page = monitor_page("$_$", [DAYS[0], day])
    assert len(page.encode()) < 3_000_000
    assert "<script>alert" not in page
    assert not re.search(r"[\x00-\x08\x1b]", page)
    assert "x" * 1_500 not in page
    for text in ("$$", "$_$", "$10-$20", "[bold]", "two lines", r"\x1b[31m", "_x"):
        assert page.count(f">{text}<") >= 2, text  # in a figure and in a table
    for found in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(found)


@pytest.mark.slow
def test_the_ranking_within_sessions_is_a_series_per_day(page: str) -> None:
    for name in ("utility", "click", "like"):
        assert f'aria-label="Ranking by {name} over 5 days"' in page
    assert "NDCG@10" in svg(page, "Ranking by click")
    assert "top 10" in svg(page, "Ranking by utility")
    assert len(re.findall("<use", svg(page, "Ranking by click"))) > len(
        re.findall("<use", svg(page, "Ranking by like"))
    )
    older = monitor_page("feed", [replace(day, rankings=()) for day in DAYS])
    assert "No recorded day has session metrics." in older


def test_a_healthy_history_says_so() -> None:
    page = monitor_page("feed", DAYS[:1])
    assert '<h1 class="good">2026-01-08: everything within its limits.</h1>' in page


def test_a_day_without_slices_features_or_outcomes_has_a_page() -> None:
    bare = DayRecord("2026-01-12", "monitor", "", 10, 0.95, (outcome("click"),))
    page = monitor_page("feed", [bare])
    assert "The config names no slices." in page
    assert "There was no day of a training window to compare with." in page
    assert "scored by a model that was not pushed" in page


@pytest.mark.slow
def test_a_long_history_stays_small() -> None:
    days = [healthy(f"2025-{1 + i // 28:02}-{1 + i % 28:02}") for i in range(300)]
    page = monitor_page("feed", days)
    assert len(page.encode()) < 1_000_000
    assert page.count('<td data-order="2025-') == 300


@pytest.mark.slow
def test_it_opens_in_a_browser(page: str, tmp_path: Path) -> None:
    path = tmp_path / "monitor.html"
    path.write_text(page)
    with browser(tmp_path / "profile") as driver:
        for width in WIDTHS:
            show(driver, path, width)
            # Two series and one map per objective, three rankings, the features' map and two of their series, and two
            # series of scores.
            assert_sound(driver, figures=2 + 2 + 3 + 1 + 2 + 2)


@pytest.mark.slow
def test_a_long_category_is_shortened_where_its_share_is_shown() -> None:
    newest = healthy("2026-01-12")
    features = tuple(replace(f, what="share of 'a\nb" + "x" * 70_000) for f in newest.features)
    page = monitor_page("feed", [replace(newest, features=features)])
    assert "share of &#39;a bxxx" in page
    assert "x" * 2000 not in page
