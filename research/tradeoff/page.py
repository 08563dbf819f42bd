"""Figures for the JSON, and the page's tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks import pages
from benchmarks.harness import Figure
from benchmarks.pages import Column, words
from research.tradeoff.experiment import TRADEOFF, Outcome, Size
from research.tradeoff.speed import MEASUREMENTS, PARAMETERS

OURS, RANDOM = "ours", "random"
_MOST_BROKEN = 0.05
_MOST_SECONDS = 5.0

Outcomes = Mapping[str, Sequence[Outcome]]
"""Method → outcome of each seed, in the same order."""


@dataclass(frozen=True)
class _Row:
    name: str
    outcomes: Sequence[Outcome]
    reference: Sequence[Outcome]

    @property
    def regret(self) -> float:
        return float(np.mean([outcome.regret for outcome in self.outcomes]))

    @property
    def over_random(self) -> float:
        return self.regret / float(np.mean([outcome.regret for outcome in self.reference]))

    @property
    def half_width(self) -> float:
        """Of the 95 % interval of the mean regret over seeds, normal approximation."""
        regrets = [outcome.regret for outcome in self.outcomes]
        return 1.96 * float(np.std(regrets, ddof=1)) / len(regrets) ** 0.5 if len(regrets) > 1 else float("nan")


def figures(outcomes: Outcomes, seconds: float) -> list[Figure]:
    """Regret compared with random search and with each rival, violations, and the time of a suggestion."""
    rows = {row.name: row for row in _rows(outcomes)}
    ours = rows[OURS]
    broken = sum(outcome.broken for outcome in ours.outcomes)
    return [
        Figure(
            "regret_over_random",
            ours.regret,
            rows[RANDOM].regret,
            "missed gain of the goal",
            0.5,
            target_is_least=False,
            note=f"mean over {len(ours.outcomes)} seeds",
        ),
        *(
            Figure(
                f"regret_over.{name.replace(' ', '_').replace(',', '')}",
                ours.regret,
                row.regret,
                "missed gain of the goal",
                1.0,
                target_is_least=False,
            )
            for name, row in rows.items()
            if name not in (OURS, RANDOM) and not name.startswith(OURS)
        ),
        Figure(
            "violations",
            broken,
            len(ours.outcomes),
            "runs",
            _MOST_BROKEN,
            target_is_least=False,
            note="runs whose shipped setting broke a guardrail, divided by runs",
        ),
        Figure(
            "seconds_per_suggestion",
            seconds,
            1.0,
            "s",
            _MOST_SECONDS,
            target_is_least=False,
            note=f"{MEASUREMENTS} measurements, {PARAMETERS} parameters; the ratio is seconds",
        ),
    ]


def markdown(outcomes: Outcomes, size: Size, seconds: float, command: str) -> str:
    """The table of all methods, with the command that made it."""
    columns: list[Column[_Row]] = [
        words("method", lambda row: row.name),
        Column("regret, points", lambda row: pages.plus_minus(100 * row.regret, 100 * row.half_width, 2)),
        Column("÷ random", lambda row: pages.decimal(row.over_random, 2)),
        Column("gain, %", lambda row: pages.decimal(100 * float(np.mean([o.gain for o in row.outcomes])), 2, True)),
        Column("shipped", lambda row: f"{sum(o.shipped for o in row.outcomes)} of {len(row.outcomes)}"),
        Column("broke a guardrail", lambda row: f"{sum(o.broken for o in row.outcomes)} of {len(row.outcomes)}"),
        Column("seconds", lambda row: pages.decimal(float(np.mean([o.seconds for o in row.outcomes])), 1)),
    ]
    rows = _rows(outcomes)
    best = float(np.mean([outcome.best for outcome in rows[0].outcomes]))
    about = (
        f"{pages.counted(len(rows[0].outcomes), 'seed')}; {size.rounds} rounds of {size.arms} arms beside arm 0; "
        f"{pages.count(size.viewers)} viewers per arm and {pages.count(size.arms * size.viewers)} for arm 0. "
        f"{len(TRADEOFF.search.parameters)} parameters. The best setting that holds the guardrails gains "
        f"{pages.decimal(100 * best, 2)} % on average. Regret: what the shipped setting gains less, in percentage "
        "points of the goal, with 95 % intervals over seeds; a setting that breaks a guardrail is taken back and gains "
        "nothing. Seconds: of all decisions of an experiment. "
        f"A suggestion at {MEASUREMENTS} measurements and {PARAMETERS} parameters: {pages.decimal(seconds, 1)} s."
    )
    return pages.join([about, pages.origin(command), pages.table(columns, rows)])


def _rows(outcomes: Outcomes) -> list[_Row]:
    return [_Row(name, of, outcomes[RANDOM]) for name, of in outcomes.items()]
