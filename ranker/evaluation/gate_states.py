"""What the gates say about one objective, or about the ranking by the utility."""

from collections.abc import Sequence
from typing import Literal

from ranker.evaluation.verdict import BY_UTILITY, TOO_FEW, TOO_FEW_SESSIONS, Verdict

State = Literal["refused", "too few", "passed", "no gate"]
"""What the gates say about an objective."""


def gate_state(verdicts: Sequence[Verdict], objective: str) -> State:
    """The state of an objective, or of the utility, ""; on slices, only refusals count."""
    own = [verdict for verdict in verdicts if verdict.objective == objective]
    overall = [verdict for verdict in own if not verdict.slice]
    if any(verdict.refuses for verdict in own):
        return "refused"
    if any(verdict.outcome == "too few" for verdict in overall):
        return "too few"
    return "passed" if overall else "no gate"


def gate_text(verdicts: Sequence[Verdict], objective: str) -> str:
    """The state of an objective, or of the utility, as text, with the metrics that are refused or undecided."""
    state = gate_state(verdicts, objective)
    own = [verdict for verdict in verdicts if verdict.objective == objective]
    if state == "refused":
        refusing = [f"{v.metric}{f' on {v.slice}' if v.slice else ''}" for v in own if v.refuses]
        return f"refused: {', '.join(dict.fromkeys(refusing))}"
    if state == "too few":
        few = TOO_FEW_SESSIONS if objective == BY_UTILITY else TOO_FEW
        return f"{few}: {', '.join(v.metric for v in own if not v.slice and v.outcome == 'too few')}"
    return state
