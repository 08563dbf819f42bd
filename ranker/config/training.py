"""How the towers are fitted."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Fraction, Share

Strategy = Literal["one_device", "mirrored", "multi_worker"]


@dataclass(frozen=True, config=CHECKED)
class Sampling:
    """Which negatives the towers are not trained on, and how that is made up for; by default they see everything.

    Attributes:
        impressions: share kept of the impressions without any engagement. The others are not read again after they
            were counted, so training takes that much less time.
        negatives: objective → share kept of its own negatives; its cross entropy leaves the others out. It saves no
            time, as the other objectives still learn from those impressions.
        correction: `weights` gives each negative that was kept the weight of those that it stands for; `shift` trains
            on log-odds raised by what leaving negatives out adds, which is exact for `negatives` and not for
            `impressions`; `none` leaves the bias in, to show what it does.
    """

    impressions: Share = 1.0
    negatives: dict[str, Share] = Field(default_factory=dict)
    correction: Literal["weights", "shift", "none"] = "weights"

    def __post_init__(self) -> None:
        if self.correction == "shift" and self.impressions < 1:
            raise ValueError(
                f"sampling.correction: shift is not exact where impressions are left out ({self.impressions} of them "
                "are kept): what that adds to an objective's log-odds depends on the other objectives; use weights"
            )

    @property
    def is_on(self) -> bool:
        """Whether anything is left out."""
        return self.impressions < 1 or any(share < 1 for share in self.negatives.values())


@dataclass(frozen=True, config=CHECKED)
class Training:
    """How the towers are fitted.

    Attributes:
        epochs: passes over the training days.
        batch_size: impressions per step.
        optimizer: the Keras optimizer.
        learning_rate: the rate at the end of the warm-up; Adagrad wants about ten times Adam's.
        warmup_fraction: share of all steps over which the rate climbs from zero.
        final_learning_rate_fraction: what a cosine decay leaves of the rate at the last step.
        weight_decay: decoupled decay, for `adamw`.
        gradient_clip_norm: largest global norm of a step's gradient; None never clips.
        distillation: what the forest's own prediction weighs in each label that the towers learn from, beside what
            happened, for an objective without positives. It keeps the towers from learning the few positives of a rare
            objective by heart. 0, and nothing else with the forest target `any`, trains on the labels alone, as the
            source does.
        distillation_half_positives: training positives of an objective for which it weighs half of that; many
            positives need no teacher. None lets it weigh the same for all objectives.
        sampling: negatives that are left out; none by default.
        shuffle_buffer: impressions that are shuffled together, block by block.
        strategy: the devices that train together: one, all GPUs of this machine (`mirrored`), or those of the workers
            that TF_CONFIG names (`multi_worker`). A batch is shared out over them, so larger ones pay.
        seed: seed of initialisation, dropout and shuffling.
    """

    epochs: PositiveInt = 1
    batch_size: PositiveInt = 512
    optimizer: Literal["adam", "adamw", "adagrad"] = "adam"
    learning_rate: PositiveFloat = 2e-3
    warmup_fraction: Fraction = 0.1
    final_learning_rate_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    gradient_clip_norm: PositiveFloat | None = 10.0
    distillation: Fraction = 0.7
    distillation_half_positives: PositiveInt | None = 20_000
    sampling: Sampling = Sampling()
    shuffle_buffer: PositiveInt = 20_000
    strategy: Strategy = "one_device"
    seed: int = 1
