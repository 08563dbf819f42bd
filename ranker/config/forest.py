"""The XGBoost forest that encodes features as leaves."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Count, Fraction, Rate, Real, Seed, Whole


@dataclass(frozen=True, config=CHECKED)
class Dask:
    """Workers that grow one forest together, each on its share of the rows.

    Attributes:
        workers: number of workers. Each needs at least one training row and one validation row. Another worker saves
            time from hundreds of thousands of rows.
        scheduler: address of a Dask cluster that runs this project's image and can read the artifacts; None starts
            `workers` processes on this machine.

    Example:
        >>> cluster = Dask(workers=8, scheduler="tcp://dask-scheduler:8786")
    """

    workers: Annotated[Whole, Field(gt=0, le=10_000)] = 2
    scheduler: Annotated[str, Field(pattern=r"^(tcp|tls|ucx|ws|wss)://[^\s/]+$")] | None = None


@dataclass(frozen=True, config=CHECKED)
class Forest:
    """The XGBoost forest that encodes the features as leaves.

    Attributes:
        target: `any` fits one superset objective (any engagement), as in the source; `each` fits one tree per
            objective and round, so that the objectives share the trees evenly.
        trees: maximum number of trees in the forest; with `each`, rounded down to a multiple of the number of
            objectives. With 0 there is no forest: the towers read everything but leaves. Then `towers.forest_share`
            and `training.distillation` must be 0.
        depth: maximum depth of a tree.
        learning_rate: shrinkage of each tree.
        max_bin: histogram bins per feature.
        min_child_weight: minimum sum of hessians in a leaf.
        subsample: share of the rows sampled per tree.
        colsample: share of the features sampled per tree.
        early_stopping_rounds: stop an objective after this many rounds without a better validation loss, and remove its
            trees after the best round; 0 keeps all trees.
        validation_fraction: share of the training viewers held out for early stopping; the leaf values are fitted on
            all rows.
        sample_rows: trees are grown on about so many rows at most. A sample of a larger log has nearly all rare
            positives; the leaf values are fitted on all rows. None grows trees on all rows.
        device: where XGBoost trains.
        dask: workers that grow the forest together; None grows it in one process.
        external_memory: keep the quantised matrix on disk, for logs that do not fit into memory; not on a GPU.
        seed: seed of the row and column sampling.

    Raises:
        ValueError: external memory on a GPU.

    Example:
        >>> small = Forest(trees=300, depth=6, early_stopping_rounds=10)
        >>> on_a_gpu = Forest(device="cuda")
        >>> distributed = Forest(dask=Dask(workers=4, scheduler="tcp://dask-scheduler:8786"))
    """

    target: Literal["any", "each"] = "each"
    trees: Annotated[Whole, Field(ge=0, le=100_000)] = 900
    depth: Annotated[Whole, Field(ge=1, le=12)] = 4
    learning_rate: Rate = 0.1
    max_bin: Annotated[Whole, Field(ge=2, le=65535)] = 256
    min_child_weight: Annotated[Real, Field(ge=0.0, le=1e9)] = 5.0
    subsample: Annotated[Real, Field(ge=0.001, le=1.0)] = 0.8
    colsample: Annotated[Real, Field(ge=0.001, le=1.0)] = 0.8
    early_stopping_rounds: Annotated[Whole, Field(ge=0, le=100_000)] = 20
    validation_fraction: Fraction = 0.1
    sample_rows: Count | None = 2_000_000
    device: Literal["cpu", "cuda"] = "cpu"
    dask: Dask | None = None
    external_memory: bool = False
    seed: Seed = 1

    def __post_init__(self) -> None:
        if self.external_memory and self.device != "cpu":
            raise ValueError(
                f"forest.external_memory: it is possible with device='cpu' alone, got {self.device!r}; the CPU "
                "quantises the rows, and XGBoost does not train on a GPU on pages that the CPU has quantised"
            )
