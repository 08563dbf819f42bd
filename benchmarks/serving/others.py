"""What ours is compared with beyond what this environment has."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Others:
    """What is compared with only where it is given.

    Attributes:
        before: a SavedModel of an earlier version, for the time to load one.
        rivals: an interpreter with other programs, for the forests.
    """

    before: Path | None = None
    rivals: str | None = None

    @property
    def words(self) -> list[str]:
        """The options of the command line that give them, for a page."""
        return (["--before", "MODEL"] if self.before else []) + (["--rivals", "PYTHON"] if self.rivals else [])
