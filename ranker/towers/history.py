"""How the towers' loss fell during one training run."""

from dataclasses import dataclass, field

from ranker.documents import Number, read_json, write_json


@dataclass
class TrainingHistory:
    """One entry per chunk of steps.

    Attributes:
        objectives: in the order of `objective_losses`.
        step: steps finished at the end of the chunk.
        impressions: impressions seen until then, over all epochs.
        loss: sum of the objectives' cross entropies in nats, averaged over the chunk's impressions.
        objective_losses: the same per objective; [chunks, objectives].
        learning_rate: of the chunk's last step.
        base_rate_loss: the loss of a model that predicts every objective's base rate.
        rows_per_second: impressions per second over the whole loop, without the calls that compile.
        seconds: wall-clock seconds of the whole loop.
        epochs: passes over the impressions; 0 in a file of an earlier version of this project.
        batch_size: impressions per step; 0 likewise.
    """

    objectives: list[str]
    base_rate_loss: Number
    step: list[int] = field(default_factory=list)
    impressions: list[int] = field(default_factory=list)
    loss: list[Number] = field(default_factory=list)
    objective_losses: list[list[Number]] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    rows_per_second: float = 0.0
    seconds: float = 0.0
    epochs: int = 0
    batch_size: int = 0

    @property
    def steps(self) -> int:
        """Steps finished."""
        return self.step[-1] if self.step else 0

    @property
    def length_text(self) -> str:
        """The length of the training in words."""
        steps = f"{self.steps:,} steps"
        return f"{steps} ({self.epochs} × the impressions, in batches of {self.batch_size:,})" if self.epochs else steps

    def to_json(self) -> str:
        """All of it as one JSON object."""
        return write_json(self, indent=1)

    @staticmethod
    def from_json(text: str, name: str = "history.json") -> "TrainingHistory":
        """What `to_json` gave; a loss that was NaN or infinite comes back as NaN.

        Args:
            text: the content of the file.
            name: of the file, for the message.

        Raises:
            DocumentError: the file is damaged; the message names the file and the field.
        """
        return read_json(TrainingHistory, text, name)
