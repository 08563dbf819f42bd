"""The results as tables: in the terminal, as figures for the JSON, and as Markdown."""

from collections.abc import Iterator

from benchmarks.harness import Figure
from benchmarks.quality.statistics import Judged, interval
from benchmarks.quality.study import Results

OURS = "ours"
CEILING = "Bayes optimum"


def figures(results: Results) -> list[Figure]:
    """Our AUC and normalized entropy of every objective beside the best rival's, and our AUC beside the ceiling."""
    made = []
    for index, objective in enumerate(results.feed.config.objective_names):
        ours = results.judged[OURS][index]
        rivals = {name: judged[index] for name, judged in results.judged.items() if name not in (OURS, CEILING)}
        if CEILING in results.judged:
            ceiling = results.judged[CEILING][index]
            low, high = interval(ceiling.auc_draws - ours.auc_draws)
            note = f"{ceiling.auc - ours.auc:.4f} below the best possible (95 % interval {low:.4f} to {high:.4f})"
            name = f"{results.feed.name}.ceiling.{objective}"
            made.append(Figure(name, ours.auc, ceiling.auc, "AUC", note=note))
        name, best = max(rivals.items(), key=lambda item: item[1].auc)
        low, high = interval(ours.auc_draws - best.auc_draws)
        note = (
            f"the best rival is {name}; difference {ours.auc - best.auc:+.4f} (95 % interval {low:+.4f} to {high:+.4f})"
        )
        made.append(Figure(f"{results.feed.name}.auc.{objective}", ours.auc, best.auc, "AUC", 1.0, note=note))
        name, best = min(rivals.items(), key=lambda item: item[1].normalized_entropy)
        low, high = interval(ours.entropy_draws - best.entropy_draws)
        note = (
            f"the best rival is {name}; difference {ours.normalized_entropy - best.normalized_entropy:+.4f} (95 % "
            f"interval {low:+.4f} to {high:+.4f})"
        )
        made.append(
            Figure(
                f"{results.feed.name}.normalized_entropy.{objective}",
                ours.normalized_entropy,
                best.normalized_entropy,
                "NE",
                1.0,
                target_is_least=False,
                note=note,
            )
        )
    return made


def markdown(results: Results) -> str:
    """One table per objective: every model, and its paired difference from ours."""
    days = ", ".join(str(day) for _, day in results.feed.days)
    lines = [
        f"# Quality: {results.feed.name}",
        "",
        f"From `uv run python -m benchmarks.quality --data {results.feed.name} --seeds {results.seeds} --page FILE`.",
        "",
        f"Held out: {days}; {results.rows:,} impressions, pooled. {results.seeds} seeds. Differences are ours minus "
        "the model's, with 95 % intervals from a bootstrap over viewers.",
        "",
    ]
    for index, objective in enumerate(results.feed.config.objective_names):
        lines += [f"## {objective} ({results.positives[index]:,} positives)", ""]
        lines += _table({name: judged[index] for name, judged in results.judged.items()})
        lines.append("")
    return "\n".join(lines)


def _table(judged: dict[str, Judged]) -> Iterator[str]:
    yield "| model | AUC | sd of seeds | normalized entropy | O/E | ECE | ours − its AUC | ours − its NE |"
    yield "|---|---|---|---|---|---|---|---|"
    ours = judged[OURS]
    for name, found in judged.items():
        numbers = (
            f"{found.auc:.4f}",
            f"{found.auc_seeds_sd:.4f}",
            f"{found.normalized_entropy:.4f}",
            f"{found.o_over_e:.3f}",
            f"{found.calibration_error:.4f}",
        )
        differences = ("–", "–")
        if name != OURS:
            auc, entropy = ours.auc_draws - found.auc_draws, ours.entropy_draws - found.entropy_draws
            differences = (
                f"{ours.auc - found.auc:+.4f} ({interval(auc)[0]:+.4f} to {interval(auc)[1]:+.4f})",
                f"{ours.normalized_entropy - found.normalized_entropy:+.4f} "
                f"({interval(entropy)[0]:+.4f} to {interval(entropy)[1]:+.4f})",
            )
        yield f"| {' | '.join((name, *numbers, *differences))} |"
