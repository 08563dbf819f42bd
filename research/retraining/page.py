"""Figures for the JSON and tables for the page."""

import numpy as np

from benchmarks import pages
from benchmarks.harness import Figure
from benchmarks.pages import Column, words
from research.quality.statistics import Judged
from research.retraining.judging import REFERENCE, RetrainingResults

CHEAPER_TARGET = 4.0


def title(feed: str) -> str:
    """The title of a new page."""
    return f"Retraining: {feed}"


def figures(results: RetrainingResults, with_targets: bool) -> list[Figure]:
    """The ratio of the costs of daily cold and warm starts, and normalized entropies divided by a cold start's.

    Args:
        results: of one feed.
        with_targets: whether the figures have targets, which a small run does not reach.
    """
    cold, warm = results.outcomes[REFERENCE], results.outcomes["warm"]
    by_seed = ", ".join(f"{ratio:.2f}" for ratio in _ratios(results))
    made = [
        Figure(
            f"{results.name}.cold_over_warm_seconds",
            ours=cold.total_seconds,
            rival=warm.total_seconds,
            unit="s",
            target=CHEAPER_TARGET if with_targets else None,
            note=f"training for {len(results.days)} days, of each the median over {results.seeds} seeds; "
            f"cold: {_parts(cold.parts)}; warm: {_parts(warm.parts)}; seed by seed {by_seed} times",
        )
    ]
    made.append(_loss(results, with_targets))
    made += [_entropy(results, strategy, None) for strategy in results.outcomes if strategy != REFERENCE]
    made += [_entropy(results, "warm", index) for index in range(len(results.objectives))]
    return made


def _loss(results: RetrainingResults, with_targets: bool) -> Figure:
    """What a warm start loses, as a difference. The target is no significant loss: at most half of its interval."""
    gap = results.entropy_gap("warm")
    return Figure(
        f"{results.name}.warm_start_ne_loss",
        ours=gap.value,
        rival=1.0,
        unit="NE, warm − cold",
        target=gap.value - gap.interval[0] if with_targets else None,
        target_is_least=False,
        note="the ratio is the difference in normalized entropy, warm minus cold, mean over the objectives; the target "
        f"is half the width of its 95 % interval: {_gap(results, 'warm', None)}",
    )


def _entropy(results: RetrainingResults, strategy: str, objective: int | None) -> Figure:
    """A strategy's normalized entropy compared with a cold start's, for one objective or the mean over all."""
    ours, cold = (
        [judged.normalized_entropy.value for judged in results.outcomes[name].pooled] for name in (strategy, REFERENCE)
    )
    chosen = slice(None) if objective is None else slice(objective, objective + 1)
    name = "mean" if objective is None else results.objectives[objective]
    return Figure(
        f"{results.name}.{strategy}_over_cold_ne.{name}",
        ours=float(np.mean(ours[chosen])),
        rival=float(np.mean(cold[chosen])),
        unit="NE",
        note=f"difference, with its 95 % interval: {_gap(results, strategy, objective)}",
    )


def markdown(results: RetrainingResults, command: str, drawing: str) -> str:
    """The tables: cost, normalized entropy per day, and every objective of every strategy.

    Args:
        results: of one feed.
        command: the command of the run.
        drawing: path of the drawing, relative to the page.
    """
    strategies, objectives = list(results.outcomes), range(len(results.objectives))
    return pages.join(
        [
            pages.origin(command),
            f"{results.days[0]} to {results.days[-1]}, {results.rows:,} impressions, "
            f"{pages.counted(results.seeds, 'seed')}. Each day is predicted by models that have not seen "
            "it. Differences are to a cold start every day; their 95 % "
            "intervals are over viewers (bootstrap) and seeds (Student's t).",
            pages.picture("Normalized entropy day by day", drawing),
            pages.table(_cost(results), strategies),
            "Seconds are each day's median over the seeds, summed over the days.",
            pages.table(_ratio_columns(results), ["cold ÷ warm"]),
            pages.table(_days(results), strategies),
            pages.table(_objectives(results), [(index, name) for index in objectives for name in strategies]),
        ]
    )


def _cost(results: RetrainingResults) -> list[Column[str]]:
    """The columns of the cost table, with one row per strategy."""
    return [
        words("strategy", lambda name: name),
        Column("seconds of training", lambda name: pages.decimal(results.outcomes[name].total_seconds, 1)),
        words("of which", lambda name: _parts(results.outcomes[name].parts) or pages.NONE),
        Column("NE − cold's, mean over the objectives", lambda name: _gap(results, name, None)),
    ]


def _ratio_columns(results: RetrainingResults) -> list[Column[str]]:
    """A cold start's seconds divided by a warm start's: of the medians, and per seed."""
    cold, warm = results.outcomes[REFERENCE], results.outcomes["warm"]
    ratios = {"medians over the seeds": cold.total_seconds / warm.total_seconds}
    ratios |= {f"seed {seed}": ratio for seed, ratio in enumerate(_ratios(results), start=1)}

    def column(heading: str, ratio: float) -> Column[str]:
        return Column(heading, lambda name: pages.decimal(ratio, 2))

    return [words("seconds of training", lambda name: name), *(column(*ratio) for ratio in ratios.items())]


def _days(results: RetrainingResults) -> list[Column[str]]:
    """The columns of the table per day, with one row per strategy."""

    def column(index: int) -> Column[str]:
        def cell(name: str) -> str:
            judged = results.outcomes[name].by_day[index]
            return pages.decimal(float(np.mean([objective.normalized_entropy.value for objective in judged])), 4)

        return Column(f"{results.days[index]:%d %b}", cell)

    return [words("mean normalized entropy", lambda name: name), *(column(i) for i in range(len(results.days)))]


def _objectives(results: RetrainingResults) -> list[Column[tuple[int, str]]]:
    """The columns of the table with one row per objective, given by its index, and strategy."""

    def of(row: tuple[int, str]) -> Judged:
        return results.outcomes[row[1]].pooled[row[0]]

    return [
        words("objective", lambda row: results.objectives[row[0]]),
        words("strategy", lambda row: row[1]),
        Column("AUC", lambda row: pages.decimal(of(row).auc.value, 4)),
        Column("O/E", lambda row: pages.decimal(of(row).o_over_e.value, 3)),
        Column("normalized entropy", lambda row: pages.decimal(of(row).normalized_entropy.value, 4)),
        Column("NE − cold's", lambda row: _gap(results, row[1], row[0])),
    ]


def _gap(results: RetrainingResults, strategy: str, objective: int | None) -> str:
    """The strategy's normalized entropy minus a cold start's; empty for the cold start itself."""
    if strategy == REFERENCE:
        return pages.NONE
    gap = results.entropy_gap(strategy, objective)
    return pages.with_interval(gap.value, gap.interval, 4, signed=True)


def _parts(parts: dict[str, float]) -> str:
    return ", ".join(f"{name} {seconds:,.1f} s" for name, seconds in parts.items())


def _ratios(results: RetrainingResults) -> list[float]:
    """A cold start's seconds divided by a warm start's, per seed."""
    cold, warm = (results.outcomes[name].seconds_by_seed for name in (REFERENCE, "warm"))
    return [ours / theirs for ours, theirs in zip(cold, warm, strict=True)]
