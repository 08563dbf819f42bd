"""How a forest's loss fell, round by round."""

from dataclasses import dataclass, field

from ranker.documents import Number, read_json, write_json


@dataclass(frozen=True)
class LimitedOutput:
    """An output with too few positives among the held-out viewers for early stopping.

    Attributes:
        held_out: impressions of the held-out viewers with the rarer outcome, which is mostly the positive one.
        most_rounds: the largest number of rounds that the output was allowed.
    """

    held_out: int
    most_rounds: int


@dataclass(frozen=True)
class TrainingCurve:
    """The mean binary log loss over the objectives after each round that was trained, in nats.

    Attributes:
        train: one value per round, over the rows that trees were grown on.
        validation: the same over the held-out viewers; empty where none were held out, NaN where no label of theirs was
            observed.
        kept_rounds: rounds of which the forest kept a tree.
        output_rounds: rounds that it kept of each objective's trees, or of the superset objective's.
        limited: objectives with too few positives among the held-out viewers for early stopping.
        added: trees that a warm start added to the forest since, by objective; those of the newest run alone.
    """

    train: tuple[Number, ...]
    validation: tuple[Number, ...]
    kept_rounds: int
    output_rounds: dict[str, int]
    limited: dict[str, LimitedOutput] = field(default_factory=dict)
    added: dict[str, int] = field(default_factory=dict)

    def notes(self) -> tuple[str, ...]:
        """A sentence per objective whose number of trees was limited, and one about added trees."""
        added = {output: trees for output, trees in self.added.items() if trees}
        each = ", ".join(f"{output} {trees:,}" for output, trees in added.items())
        return tuple(
            f"{output}: impressions of the held-out viewers with the rarer outcome: {found.held_out:,}, too few for "
            f"early stopping, so the forest has at most {found.most_rounds:,} trees for it"
            for output, found in self.limited.items()
        ) + ((f"trees added to the forest since the last run, by objective: {each}",) if added else ())

    def to_json(self) -> str:
        """All of it as one JSON object."""
        return write_json(self, indent=1)

    @staticmethod
    def from_json(text: str, name: str = "training_curve.json") -> "TrainingCurve":
        """What `to_json` gave.

        Args:
            text: the content of the file.
            name: of the file, for the message.

        Raises:
            DocumentError: the file is damaged; the message names the file and the field.
        """
        return read_json(TrainingCurve, text, name)
