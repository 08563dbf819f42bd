"""How the speed of the forest's training depends on the number of rows."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.full_run import short
from benchmarks.harness import Figure, alternate
from ranker.config.forest import Forest as ForestConfig
from ranker.examples import example_files
from ranker.forest.rows import weighted_forest_rows
from ranker.forest.train import WeightedForestBatch, train_forest

_PARTS = 5
_BOOSTING_ROUNDS, _QUICK_BOOSTING_ROUNDS = 20, 3


def forest_trainer(
    transformed_examples: Path,
    config: ForestConfig,
    feature_names: Sequence[str],
    objective_names: Sequence[str],
    quick: bool,
    rounds: int = 3,
) -> Figure:
    """Rows per second of training on all rows, compared with a fifth of them, in alternation.

    Two complete runs of different sizes also differ by the speed of the machine at different times. Here there are few
    boosting rounds, so that both sizes take their turns within minutes. The figure has no target: that of a complete
    run is for all rounds.

    Args:
        transformed_examples: the folder of Transform's examples, with a split train.
        config: the forest's settings; the number of trees is this benchmark's, and no objective is stopped early.
        feature_names, objective_names: of the examples.
        quick: fewer boosting rounds.
        rounds: trainings of each size, of which the median counts.
    """
    files = example_files(str(transformed_examples / "Split-train"))
    boosting = _QUICK_BOOSTING_ROUNDS if quick else _BOOSTING_ROUNDS
    config = replace(config, target="each", trees=boosting * len(objective_names), early_stopping_rounds=0)
    read: dict[str, int] = {}

    def train(name: str, parts: int) -> None:
        read[name] = 0

        def counted() -> Iterator[WeightedForestBatch]:
            for batch in weighted_forest_rows(files, len(feature_names), len(objective_names), shares=parts):
                read[name] += len(batch[1])
                yield batch

        train_forest(counted(), config, feature_names, objective_names)

    seconds = alternate({"all": lambda: train("all", 1), "part": lambda: train("part", _PARTS)}, rounds)
    return Figure(
        f"forest_rows_per_second_{short(read['all'])}_over_{short(read['part'])}",
        ours=read["all"] / seconds["all"],
        rival=read["part"] / seconds["part"],
        unit="rows/s",
        note=f"train_forest from Transform's examples, {boosting} boosting rounds of {len(objective_names)} trees on "
        f"{read['all']:,} and {read['part']:,} rows in alternation; medians of {rounds}: {seconds['all']:.0f} s and "
        f"{seconds['part']:.0f} s",
    )
