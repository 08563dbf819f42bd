"""What a run prints where there is no terminal, which is what ends up in a scheduler's log."""

import io
import logging

from rich.console import Console

from pipeline.local.console import RunDisplay, objectives_table
from ranker.progress import LOGGER_NAME, ProgressReporter


def console() -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=80), file


def test_each_component_is_one_line() -> None:
    target, file = console()
    with RunDisplay(target, ["FeedLogGen", "TowerTrainer"]).live() as display:
        display.start("FeedLogGen")
        display.end("FeedLogGen", "ran", 1.25, 80_000)
        display.start("TowerTrainer")
        ProgressReporter("fitting the towers", 10, every_s=0.0).update(3, "loss 0.7")
        display.end("TowerTrainer", "failed", 2.0, None)
    lines = [line.split() for line in file.getvalue().splitlines() if line.strip()]
    assert lines == [
        ["✓", "FeedLogGen", "ran", "80,000", "rows", "1.2", "s"],
        ["✗", "TowerTrainer", "failed", "2.0", "s"],
    ]


def test_the_progress_logger_is_left_as_it_was() -> None:
    logger = logging.getLogger(LOGGER_NAME)
    before = logger.level, list(logger.handlers)
    target, _ = console()
    with RunDisplay(target, []).live():
        assert len(logger.handlers) == len(before[1]) + 1
    assert (logger.level, list(logger.handlers)) == before


def test_the_table_tells_gates_and_what_could_not_be_measured() -> None:
    metrics = {
        "impressions": 10_000.0,
        "positives": 2_000.0,
        "auc": 0.7512,
        "auc_lower": 0.74,
        "auc_upper": 0.76,
        "o_over_e": 1.01,
        "o_over_e_lower": 0.97,
        "o_over_e_upper": 1.05,
        "normalized_entropy": 0.9,
        "gate": "passed",
    }
    undefined = dict.fromkeys(metrics, None) | {"impressions": 10_000.0, "positives": 0.0, "gate": "o_over_e device=tv"}
    target, file = console()
    target.print(objectives_table("2026-01-12", {"click": metrics, "reshare": undefined}))
    text = file.getvalue()
    assert "0.751" in text
    assert "0.751 (.740–.760)" in text
    assert "passed" in text
    assert "device=tv" in text
    assert "2026-01-12, held out: 10,000 impressions" in text
    [reshare] = [line.split() for line in text.splitlines() if line.startswith("reshare")]
    assert reshare == ["reshare", "0", "–", "–", "–", "o_over_e"]
