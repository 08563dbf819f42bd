"""How a forest's loss fell, round by round."""

from dataclasses import dataclass

from ranker.documents import read_json, write_json


@dataclass(frozen=True)
class TrainingCurve:
    """The mean binary log loss over the objectives after each round that was trained, in nats.

    Attributes:
        train: one value per round, over the rows that trees were grown on.
        validation: the same over the held-out viewers; empty where none were held out.
        kept_rounds: rounds of which the forest kept a tree.
        output_rounds: rounds that it kept of each objective's trees, or of the superset objective's.
    """

    train: tuple[float, ...]
    validation: tuple[float, ...]
    kept_rounds: int
    output_rounds: dict[str, int]

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
