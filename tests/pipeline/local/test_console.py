"""The output of a run without a terminal, as in a scheduler's log."""

import io
import logging
from dataclasses import replace

import pytest
from rich.console import Console

from pipeline.local.console import (
    RunDisplay,
    blessing,
    objectives_table,
    session_lines,
    sessions_table,
    verdict_lines,
)
from pipeline.local.metrics_summary import GateSummary, ObjectiveSummary, UtilitySummary
from pipeline.local.run_summary import RunSummary
from ranker.evaluation.baseline import Baseline
from ranker.evaluation.held_out_day import HeldOutDay
from ranker.evaluation.leakage import Leak
from ranker.evaluation.verdict import Outcome
from ranker.plain_text import one_line
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


CLICK = ObjectiveSummary(
    impressions=10_000,
    positives=2_000,
    auc=0.7512,
    auc_lower=0.74,
    auc_upper=0.76,
    o_over_e=1.01,
    o_over_e_lower=0.97,
    o_over_e_upper=1.05,
    normalized_entropy=0.9,
    state="passed",
    gate="passed",
)
FEW = ObjectiveSummary(impressions=10_000, positives=12, state="too few", gate="too few positives to judge: auc")


def a_gate(text: str, outcome: Outcome, blocking: bool) -> GateSummary:
    limit = (None, None)
    return GateSummary("click", "", "auc", 0.7, 0.6, 0.8, limit, outcome, outcome == "passed", blocking, text)


def test_the_table_shows_gates_and_undefined_metrics() -> None:
    metrics = CLICK
    undefined = ObjectiveSummary(
        impressions=10_000, positives=0, state="refused", gate="refused: o_over_e on device=tv"
    )
    target, file = console()
    target.print(objectives_table("2026-01-12", {"click": metrics, "reshare": undefined}))
    text = file.getvalue()
    assert "0.751" in text
    assert "0.751 (.740–.760)" in text
    assert "passed" in text
    assert "device=tv" in text
    assert "2026-01-12, held out: 10,000 impressions" in text
    [reshare] = [line.split() for line in text.splitlines() if line.startswith("reshare")]
    assert reshare == ["reshare", "0", "–", "–", "–", "refused:"]


def test_only_an_objective_that_passed_is_green() -> None:
    refused = replace(FEW, state="refused", gate="refused: auc")
    target = Console(file=io.StringIO(), width=120, force_terminal=True, color_system="standard")
    target.print(objectives_table("2026-01-12", {"click": CLICK, "comment": FEW, "reshare": refused}))
    text = target.file.getvalue()  # type: ignore[attr-defined]
    green, yellow, red = ("\x1b[32m", "\x1b[33m", "\x1b[31m")
    assert f"{green}passed" in text
    assert f"{yellow}too few positives to judge: auc" in text
    assert f"{red}refused: auc" in text


def test_a_model_with_too_few_positives_to_judge_is_not_blessed_in_green() -> None:
    summary = RunSummary("run", "feed", "2026-01-12", "log", "complete", blessed=True, objectives={"click": CLICK})
    assert blessing(summary) == "[green]blessed[/]"
    undecided = replace(summary, objectives={"click": CLICK, "comment": FEW})
    assert blessing(undecided) == "[yellow]blessed, with too few positives to judge comment[/]"
    assert blessing(replace(undecided, blessed=False)) == "[red]not blessed[/]"


def test_every_gate_that_did_not_pass_and_every_skipped_check_is_a_line() -> None:
    blocking = "click on device=ios: O/E is 3.1 [2.8, 3.4], beyond the limit of 0.5 to 2"
    informing = (
        "share on device=tv: O/E is 4 [2.1, 7], beyond the limit of 0.5 to 2; reported only, with 3 of 100 positives"
    )
    undecided = "like: AUC is 0.6 [0.5, 0.7], not clearly on one side of the limit of at least 0.55: too few positives"
    nothing = RunSummary("run", "feed", "2026-01-12", "log", "complete")
    summary = replace(
        nothing,
        gates=(
            a_gate(blocking, "failed", blocking=True),
            a_gate(informing, "failed", blocking=False),
            a_gate(undecided, "too few", blocking=False),
            a_gate("click: AUC is 0.7 [0.6, 0.8], within the limit of at least 0.55", "passed", blocking=True),
        ),
        training_notes=("like: too few for early stopping",),
        slices_dropped=(("author", "device"),),
        baseline=Baseline("7", "it predicts ['follow']"),
    )
    target, file = console()
    for line in verdict_lines(summary):
        target.print(line, soft_wrap=True, highlight=False)
    assert file.getvalue().splitlines() == [
        f"gate: {blocking}",
        f"note: {informing}",
        f"note: {undecided}",
        "note: like: too few for early stopping",
        "warning: slices by author × device were left out: they have too many values",
        "warning: not compared with the model now serving, version 7: it predicts ['follow']",
    ]
    assert list(verdict_lines(nothing)) == []


@pytest.mark.parametrize(
    ("baseline", "line"),
    [
        (Baseline(), ""),
        (Baseline("7"), "compared with the model now serving, version 7, on the same impressions"),
        (
            Baseline("5", reason="version 7, which is newer, was trained on 2026-03-09"),
            "warning: compared with version 5, on the same impressions; version 7, which is newer, was trained on "
            "2026-03-09",
        ),
        (
            Baseline(reason="version 7 was trained on 2026-03-09, and there is no earlier version that was not"),
            "warning: not compared with a pushed model; version 7 was trained on 2026-03-09, and there is no earlier "
            "version that was not",
        ),
        (
            Baseline("7", lacks=("share", "reply")),
            "warning: compared with the model now serving, version 7, on the same impressions; it does not predict "
            "share, reply, so these were not compared",
        ),
        (
            Baseline("7", "it cannot be loaded", blocks=True),
            "gate: not compared with the model now serving, version 7: it cannot be loaded; this blocks it, as "
            "gates.baseline_required is set",
        ),
    ],
)
def test_a_line_says_what_the_model_was_compared_with(baseline: Baseline, line: str) -> None:
    summary = RunSummary("run", "feed", "2026-01-12", "log", "complete", baseline=baseline)
    target, file = console()
    for text in verdict_lines(summary):
        target.print(text, soft_wrap=True, highlight=False)
    assert file.getvalue().strip() == line


def test_the_table_fits_a_terminal_of_80_columns() -> None:
    metrics = replace(CLICK, o_over_e=1.125, o_over_e_lower=1.125, o_over_e_upper=1.125)
    target, file = console()
    target.print(objectives_table("2026-01-12", {"creator_reply": metrics}))
    assert "passed" in file.getvalue()


UTILITY = UtilitySummary(
    sessions=1_234,
    top_utility=-0.123,
    top_utility_lower=-0.2,
    top_utility_upper=1.5,
    ndcg=0.51,
    ndcg_lower=0.5,
    ndcg_upper=0.52,
    k=10,
)


def test_the_sessions_have_a_table_of_their_own_that_fits_a_terminal_of_80_columns() -> None:
    ranked = replace(CLICK, gauc=0.651, gauc_lower=0.64, gauc_upper=0.66, ndcg=1.0, ndcg_lower=0.9, ndcg_upper=1.0)
    undefined = ObjectiveSummary(impressions=10_000, positives=0)
    target, file = console()
    target.print(sessions_table(UTILITY, {"creator_reply": ranked, "reshare": undefined}))
    title, headings, *rows = [line.split() for line in file.getvalue().splitlines()]
    assert title == ["within", "sessions:", "1,234", "sessions"]
    assert headings == ["ranked", "by", "GAUC", "NDCG@10", "utility", "of", "the", "top", "10"]
    assert rows[:3] == [
        ["utility", "0.510", "(.500–.520)", "-0.123", "(-.200–1.500)"],
        ["creator_reply", "0.651", "(.640–.660)", "1.000", "(.900–1.000)"],
        ["reshare", "–", "–"],
    ]
    assert "GAUC: how often a positive is scored above a negative of the same session" in file.getvalue()
    assert "…" not in file.getvalue()


def test_what_session_metrics_leave_out_is_a_note() -> None:
    assert list(session_lines(UTILITY)) == []
    partial = replace(UTILITY, session_share=0.5, impressions_without_session=70)
    assert list(session_lines(partial)) == [
        "[yellow]note:[/] session metrics are computed from a sample of 50 % of the sessions",
        "[yellow]note:[/] session metrics leave out 70 impressions without a session id",
    ]


@pytest.mark.parametrize("name", ["[bold]", "a[b]\\", ":bug:", "$_$", "two\nlines", "\x1b[31m"])
def test_names_and_messages_are_text(name: str) -> None:
    """[bold] vanished from what was printed."""
    shown = one_line(name)
    target, file = console()
    target.print(objectives_table("2026-01-12", {name: CLICK}))
    target.print(sessions_table(UTILITY, {name: CLICK}))
    gate = a_gate(f"click on device={name}: O/E is 3.1", "failed", blocking=True)
    summary = RunSummary("run", "feed", "2026-01-12", "log", "complete", gates=(gate,), slices_dropped=((name,),))
    for line in verdict_lines(summary):
        target.print(line, soft_wrap=True, highlight=False)
    text = file.getvalue()
    assert text.count(shown) == 4
    assert "\x1b" not in text
    assert f"gate: click on device={shown}: O/E is 3.1" in text


def test_a_small_held_out_day_is_said_before_anything_else() -> None:
    small = HeldOutDay(161, 9_000, 0.25)
    run = RunSummary("r", "shop", "2026-01-12", "log", "complete", blessed=True, held_out_day=small)
    run = replace(run, gates=(a_gate("click: AUC is 0.7", "failed", blocking=False),))
    first, *_ = verdict_lines(run)
    assert first.startswith("[bold yellow]warning: the held-out day is far smaller than the others: 161 impressions")
    assert blessing(run) == "[yellow]blessed, with a held-out day far smaller than the others[/]"
    blocked = replace(run, blessed=False, held_out_day=replace(small, blocks=True))
    assert next(iter(verdict_lines(blocked))).startswith("[bold red]gate: the held-out day")
    usual = replace(run, held_out_day=HeldOutDay(8_000, 9_000, 0.25), gates=())
    assert list(verdict_lines(usual)) == []
    assert blessing(usual) == "[green]blessed[/]"


def test_a_model_with_a_column_that_tells_an_outcome_is_not_blessed_in_green() -> None:
    leak = Leak("spend", "click", "alone", 300, 1.0, 0.99, 1.0, 0.9, new=False)
    run = RunSummary("r", "shop", "2026-01-12", "log", "complete", blessed=True, leaks=(leak,))
    assert blessing(run) == "[yellow]blessed, with columns that tell an outcome: spend[/]"
    assert blessing(replace(run, leaks=(replace(leak, vouched=True),))) == "[green]blessed[/]"
