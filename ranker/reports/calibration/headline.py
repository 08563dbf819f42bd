"""The verdict as a sentence, and its notes."""

from dataclasses import dataclass

from ranker.evaluation.evaluation import Evaluation
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
    """The headline of the page."""

    blessed: bool
    sentence: str
    notes: tuple[Note, ...]


def verdict(inputs: ReportInputs) -> Headline:
    """Whether the model is published, and why; every failed gate is a note with its value and limit."""
    evaluation = inputs.evaluation
    refusing = [v.text for v in evaluation.verdicts if v.refuses]
    informing = [v.text for v in evaluation.verdicts if v.outcome == "failed" and not v.blocking]
    unmeasured = [v.text for v in evaluation.verdicts if v.outcome == "not evaluated" and not v.slice]
    notes = [
        *(Note(text, "bad") for text in refusing),
        *(Note(text, "warn") for text in informing),
        *(Note(text, "warn") for text in unmeasured),
        _baseline_note(evaluation),
        *_slice_notes(evaluation),
        *(Note(f"the feed log has no {day}; trained without it", "warn") for day in inputs.missing_days),
        *(Note(warning, "warn") for warning in inputs.feed_log_warnings),
    ]
    return Headline(evaluation.blessed, _sentence(inputs, refusing), tuple(notes))


def _sentence(inputs: ReportInputs, refusing: list[str]) -> str:
    evaluation = inputs.evaluation
    if refusing:
        return f"Not blessed: {plural(len(refusing), 'gate')} failed, and the previous model continues to serve."
    overall = sum(1 for v in evaluation.verdicts if not v.slice and v.passed)
    on_slices = evaluation.slice_verdicts.get("passed", 0)
    passed = plural(overall, "gate") + (f" and {on_slices:,} on slices" if on_slices else "")
    pushed = f" and pushed as version {inputs.pushed_version}" if inputs.pushed_version else ""
    return f"Blessed{pushed}: {passed} passed."


def _baseline_note(evaluation: Evaluation) -> Note:
    version, dropped = evaluation.baseline.version, evaluation.baseline.dropped
    if version is None:
        return Note("No model was serving before, so the gates that compare with it were skipped.")
    if dropped:
        return Note(f"Not compared with the model now serving, version {version}: {dropped}", "warn")
    return Note(f"Compared with the model now serving, version {version}, on the same impressions.")


def _slice_notes(evaluation: Evaluation) -> list[Note]:
    return [
        Note(f"Slices by {' × '.join(spec)} were left out: they have too many values.", "warn")
        for spec in evaluation.slices_dropped
    ]
