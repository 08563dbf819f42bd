"""The verdict as a sentence, and its notes."""

from collections.abc import Iterator
from dataclasses import dataclass

from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.leakage import METRIC
from ranker.evaluation.verdict import BY_UTILITY, TOO_FEW, TOO_FEW_SESSIONS, Verdict
from ranker.reports.calibration.inputs import ReportInputs
from ranker.reports.html_table import Tone
from ranker.reports.text import plural


@dataclass(frozen=True)
class Note:
    """One line under the verdict."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True)
class Headline:
    """The headline of the page; good only if every gate over all impressions passed."""

    tone: Tone
    sentence: str
    notes: tuple[Note, ...]


def verdict(inputs: ReportInputs) -> Headline:
    """Whether the model is published, and why; every gate that did not pass is a note with its value and limit."""
    evaluation = inputs.evaluation
    refusing = [v for v in evaluation.verdicts if v.refuses]
    informing = [v for v in evaluation.verdicts if not v.passed and not v.blocking]
    notes = [
        *([Note(inputs.not_pushed, "warn")] if inputs.not_pushed else []),
        *([Note(evaluation.day.text, "bad" if evaluation.day.blocks else "warn")] if evaluation.day.is_small else []),
        *(Note(v.text, "bad") for v in refusing),
        *(Note(v.text, "warn") for v in informing),
        *(Note(text, "warn") for text in (inputs.forest_curve.notes() if inputs.forest_curve else ())),
        _baseline_note(evaluation),
        *_slice_notes(evaluation),
        *(Note(f"the feed log has no {day}; trained without it", "warn") for day in inputs.missing_days),
        *(Note(warning, "warn") for warning in inputs.feed_log_warnings),
    ]
    undecided = any((v.outcome == "too few" and not v.slice) or v.metric == METRIC for v in evaluation.verdicts)
    warn = undecided or inputs.not_pushed or evaluation.day.is_small
    tone: Tone = "bad" if not evaluation.blessed else "warn" if warn else "good"
    return Headline(tone, _sentence(inputs, refusing), tuple(notes))


def _sentence(inputs: ReportInputs, refusing: list[Verdict]) -> str:
    evaluation = inputs.evaluation
    if refusing:
        return f"Not blessed: {', and '.join(_counted(refusing))}, and the previous model continues to serve."
    if evaluation.day.blocks:
        return (
            "Not blessed: the held-out day is far smaller than the others, and the previous model continues to serve."
        )
    if not evaluation.blessed:
        return "Not blessed: it was not compared with a pushed model, and the previous model continues to serve."
    overall = [v for v in evaluation.verdicts if not v.slice]
    on_slices = evaluation.slice_verdicts.get("passed", 0)
    passed = plural(sum(v.passed for v in overall), "gate") + (f" and {on_slices:,} on slices" if on_slices else "")
    pushed = f" and pushed as version {inputs.pushed_version}" if inputs.pushed_version else ""
    if inputs.not_pushed:
        pushed = " but not published"
    small = ["the held-out day is far smaller than the others"] if evaluation.day.is_small else []
    return f"Blessed{pushed}: {', and '.join([f'{passed} passed', *_counted(overall), *small])}."


def _counted(verdicts: list[Verdict]) -> Iterator[str]:
    """How many gates failed, how many had too few positives or sessions, and how often a column tells an outcome."""
    gates = [v for v in verdicts if v.metric != METRIC]
    if failed := sum(v.outcome == "failed" for v in gates):
        yield f"{plural(failed, 'gate')} failed"
    few = [v for v in gates if v.outcome == "too few"]
    by_utility = sum(v.objective == BY_UTILITY for v in few)
    for number, said in ((len(few) - by_utility, TOO_FEW), (by_utility, TOO_FEW_SESSIONS)):
        if number:
            yield f"{plural(number, 'gate')} had {said}"
    if number := len(verdicts) - len(gates):
        yield plural(number, "outcome is told by a column", "outcomes are told by a column")


def _baseline_note(evaluation: Evaluation) -> Note:
    baseline = evaluation.baseline
    if baseline.version is None and baseline.reason is None:
        return Note("No model was serving before, so the gates that compare with it were skipped.")
    text = f"{baseline.text[0].upper()}{baseline.text[1:]}"
    if baseline.is_missing:
        return Note(text, "bad" if baseline.blocks else "warn")
    return Note(f"{text}.", "warn" if baseline.reason or baseline.is_partial else "")


def _slice_notes(evaluation: Evaluation) -> list[Note]:
    return [
        Note(f"Slices by {' × '.join(spec)} were left out: they have too many values.", "warn")
        for spec in evaluation.slices_dropped
    ]
