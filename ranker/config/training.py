"""How the towers are trained."""

import math
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Count, Fraction, Rate, Real, Seed, Share, Whole

_MIN_WEIGHTED_SHARE = 1e-4

_BATCH_SIZES = (512, 256, 128, 64)
_EPOCHS = ((200_000, 4), (500_000, 3))  # fewer impressions than this → epochs; docs/training.md says what was measured
_FEWEST_EPOCHS = 2
_LEAST_STEPS = 200

Strategy = Literal["one_device", "mirrored", "multi_worker"]


@dataclass(frozen=True, config=CHECKED)
class Sampling:
    """Negative downsampling for the towers and its correction; by default nothing is dropped.

    Attributes:
        impressions: share kept of the impressions without any engagement. The others are not read again after they
            were counted, so training takes correspondingly less time.
        negatives: objective → share kept of its own negatives; its cross entropy ignores the others. This saves no
            time, as the other objectives still learn from those impressions.
        correction: `weights` weights each kept negative by the inverse of its sampling rate. `shift` computes the loss
            on log-odds raised by what dropping negatives adds; this is exact for `negatives` and not for `impressions`.
            `none` leaves the bias uncorrected, to show its effect.

    Example:
        >>> a_tenth_of_the_rows = Sampling(impressions=0.1)
        >>> a_tenth_of_the_negatives = Sampling(negatives={"like": 0.1}, correction="shift")
        >>> a_tenth_of_the_negatives.is_on
        True
    """

    impressions: Share = 1.0
    negatives: dict[str, Share] = Field(default_factory=dict)
    correction: Literal["weights", "shift", "none"] = "weights"

    def __post_init__(self) -> None:
        kept = {"impressions": self.impressions, **{f"negatives[{name!r}]": s for name, s in self.negatives.items()}}
        for field, share in kept.items():
            if self.correction == "weights" and share < _MIN_WEIGHTED_SHARE:
                raise ValueError(
                    f"sampling.{field}: keeping {share} gives each kept negative a weight of {1 / share:g}; with the "
                    f"correction by weights a share is at least {_MIN_WEIGHTED_SHARE}"
                )
        if self.correction == "shift" and self.impressions < 1:
            raise ValueError(
                f"sampling.correction: shift is not exact where impressions are dropped ({self.impressions} of them "
                "are kept): what that adds to an objective's log-odds depends on the other objectives; use weights"
            )

    @property
    def is_on(self) -> bool:
        """Whether any negatives are dropped."""
        return self.impressions < 1 or any(share < 1 for share in self.negatives.values())


@dataclass(frozen=True, config=CHECKED)
class IdTables:
    """How the tables of `Features.ids` are trained, differently from all other weights.

    Most of their rows have few impressions, and must not overfit them.

    Attributes:
        learning_rate_factor: their learning rate, as a multiple of `training.learning_rate`.
        decay: decoupled decay towards 0, the vector of a missing id: the share of the vectors of its batch that a step
            at `training.learning_rate` takes away; proportionally less at the lower rates of the schedule. It concerns
            no other weights. With 0.2 or less, viewers with 50 impressions each were overfitted: click had a higher
            normalized entropy than without ids.

    Example:
        >>> for_ids_with_thousands_of_impressions = IdTables(decay=0.1)
    """

    learning_rate_factor: Annotated[Real, Field(gt=0.0, le=100.0)] = 1.0
    decay: Annotated[Real, Field(ge=0.0, lt=1.0)] = 0.6


@dataclass(frozen=True)
class Length:
    """How long a training is: `epochs` passes in batches of `batch_size` impressions."""

    epochs: int
    batch_size: int

    def steps(self, rows: int) -> int:
        """Steps over the impressions of one epoch, times the epochs."""
        return self.epochs * math.ceil(rows / self.batch_size)


@dataclass(frozen=True, config=CHECKED)
class Training:
    """How the towers are trained.

    Attributes:
        epochs: passes over the training days; None chooses by their impressions, see `length`.
        batch_size: impressions per step; None chooses by the impressions, too.
        optimizer: the Keras optimizer.
        learning_rate: the rate at the end of the warm-up; Adagrad needs about ten times Adam's.
        warmup_fraction: share of all steps over which the rate rises from zero.
        final_learning_rate_fraction: share of the rate that remains at the last step, after a cosine decay.
        weight_decay: decoupled decay, for `adamw`.
        gradient_clip_norm: largest global norm of a step's gradient; None never clips.
        distillation: weight of the forest's own prediction in the towers' training labels, for an objective without
            positives; the actual label has the rest. It keeps the towers from memorising the few positives of a rare
            objective. 0 trains on the labels alone, as in the source; the forest target `any` requires 0.
        distillation_half_positives: number of training positives at which an objective has half of that weight; the
            weight falls with the positives. None uses the same weight for all objectives.
        sampling: negatives that are dropped; none by default.
        id_tables: how the tables of ids are trained, where there are ids.
        shuffle_buffer: number of impressions that are shuffled together, block by block.
        strategy: the devices that train together: one, all GPUs of this machine (`mirrored`), or those of the workers
            that TF_CONFIG names (`multi_worker`). Each batch is divided among them, so use larger batches.
        seed: seed of initialisation, dropout and shuffling.

    Example:
        >>> one_epoch = Training(epochs=1)
        >>> faster = Training(sampling=Sampling(impressions=0.25))
    """

    epochs: Annotated[Whole, Field(gt=0, le=1_000)] | None = None
    batch_size: Annotated[Whole, Field(gt=0, le=1_000_000)] | None = None
    optimizer: Literal["adam", "adamw", "adagrad"] = "adam"
    learning_rate: Rate = 2e-3
    warmup_fraction: Fraction = 0.1
    final_learning_rate_fraction: Annotated[Real, Field(ge=0.0, le=1.0)] = 0.05
    weight_decay: Annotated[Real, Field(ge=0.0, le=1.0)] = 0.0
    gradient_clip_norm: Annotated[Real, Field(gt=0.0, le=1e6)] | None = 10.0
    distillation: Fraction = 0.7
    distillation_half_positives: Count | None = 20_000
    sampling: Sampling = Sampling()
    id_tables: IdTables = IdTables()
    shuffle_buffer: Count = 20_000
    strategy: Strategy = "one_device"
    seed: Seed = 1

    def length(self, rows: int, continued: bool = False) -> Length:
        """Epochs and batch size for a number of training impressions: those of the config, where it has them.

        Up to some hundred thousand impressions, several epochs are better; beyond, they overfit. The batch size is the
        largest with which there are at least 200 steps: with fewer, a small log is under-trained. A training that
        continues from earlier weights takes two epochs in batches of 512.

        Args:
            rows: impressions of one epoch.
            continued: whether it starts from the weights of an earlier training.

        Example:
            >>> Training().length(10_000)
            Length(epochs=4, batch_size=128)
            >>> Training().length(80_000)
            Length(epochs=4, batch_size=512)
            >>> Training(epochs=1).length(80_000).epochs
            1
        """
        largest, *_, smallest = _BATCH_SIZES
        if continued:
            return Length(self.epochs or _FEWEST_EPOCHS, self.batch_size or largest)
        epochs = self.epochs or next((epochs for most, epochs in _EPOCHS if rows < most), _FEWEST_EPOCHS)
        enough = (size for size in _BATCH_SIZES if Length(epochs, size).steps(rows) >= _LEAST_STEPS)
        return Length(epochs, self.batch_size or next(enough, smallest))
