"""The verdict in a sentence, and what a reader has to know beside it."""

from dataclasses import dataclass

from ranker.reports.calibration.inputs import Document, ReportInputs
from ranker.reports.html_table import Tone
from ranker.reports.text import plural


@dataclass(frozen=True)
class Note:
    """One line under the verdict."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True)
class Headline:
    """What the page opens with."""

    blessed: bool
    sentence: str
    notes: tuple[Note, ...]


def verdict(inputs: ReportInputs) -> Headline:
    """Says whether the model is published and why; every gate that failed is a note with its value and limit."""
    document = inputs.evaluation
    refusing = [v["text"] for v in document["verdicts"] if v["outcome"] == "failed" and v["blocking"]]
    informing = [v["text"] for v in document["verdicts"] if v["outcome"] == "failed" and not v["blocking"]]
    unmeasured = [v["text"] for v in document["verdicts"] if v["outcome"] == "not evaluated" and not v["slice"]]
    notes = [
        *(Note(text, "bad") for text in refusing),
        *(Note(text, "warn") for text in informing),
        *(Note(text, "warn") for text in unmeasured),
        _baseline_note(document),
        *_slice_notes(document),
        *(Note(f"the feed log has no {day}; trained without it", "warn") for day in inputs.missing_days),
    ]
    return Headline(document["blessed"], _sentence(inputs, refusing), tuple(notes))


def _sentence(inputs: ReportInputs, refusing: list[str]) -> str:
    document = inputs.evaluation
    if refusing:
        return f"Not blessed: {plural(len(refusing), 'gate')} failed, and the model serving before goes on."
    overall = sum(1 for v in document["verdicts"] if not v["slice"] and v["outcome"] == "passed")
    on_slices = document["slice_verdicts"].get("passed", 0)
    held = plural(overall, "gate") + (f" and {on_slices:,} on slices" if on_slices else "")
    pushed = f" and pushed as version {inputs.pushed_version}" if inputs.pushed_version else ""
    return f"Blessed{pushed}: {held} held."


def _baseline_note(document: Document) -> Note:
    version, dropped = document["baseline"]["version"], document["baseline"]["dropped"]
    if version is None:
        return Note("No model was serving before, so the gates against it were left out.")
    if dropped:
        return Note(f"Not compared with the model now serving, version {version}: {dropped}", "warn")
    return Note(f"Compared with the model now serving, version {version}, on the same impressions.")


def _slice_notes(document: Document) -> list[Note]:
    return [
        Note(f"Slices by {' × '.join(spec)} were left out: they have too many values.", "warn")
        for spec in document["slices_dropped"]
    ]
