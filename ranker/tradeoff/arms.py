"""The arms of an experiment, as the file that serving reads.

The file is all that serving needs: settings take effect as soon as it is written, without a new model. The client draws
a viewer's arm (`feed_ranker_client.arms`).
"""

from pathlib import Path

from pydantic.dataclasses import dataclass

from ranker.documents import DocumentError, check_format, read_json, write_json
from ranker.files import write_text
from ranker.tradeoff.setting import Setting

FORMAT = 1
_REMEDY = "write it again with python -m pipeline.tradeoff suggest"


class ArmsError(ValueError):
    """A file of arms cannot be used; the message says why."""


@dataclass(frozen=True)
class Arm:
    """One setting under test.

    Attributes:
        id: unique over all experiments and versions: `<experiment>.<version>.<group>-<number>`.
        setting: what its sessions are ranked by.
        share: of the viewers of its group, which is the chance of being drawn.
    """

    id: str
    setting: Setting
    share: float


@dataclass(frozen=True)
class ArmGroup:
    """The arms of one cohort.

    Attributes:
        cohort: a value of the column; None: everybody who is in no other group.
        arms: arm 0, the current setting, first.
    """

    cohort: str | None
    arms: tuple[Arm, ...]


@dataclass(frozen=True)
class Arms:
    """The arms of one version of an experiment.

    Attributes:
        format: of the file.
        experiment: its id.
        version: a new version has new arms.
        salt: of the draw. Every version has its own, so that a viewer's arms in two versions are independent.
        by: the column that cohorts are the values of; None without.
        by_input: the name of that column in a request.
        groups: the group of everybody else first.
    """

    format: int
    experiment: str
    version: int
    salt: str
    by: str | None
    by_input: str | None
    groups: tuple[ArmGroup, ...]

    def __post_init__(self) -> None:
        if not self.groups or self.groups[0].cohort is not None:
            raise ValueError("groups: the first one has to be that of everybody else, with cohort null")
        cohorts = [group.cohort for group in self.groups]
        if len(set(cohorts)) < len(cohorts):
            raise ValueError("groups: a cohort occurs twice")
        ids = [arm.id for group in self.groups for arm in group.arms]
        if len(set(ids)) < len(ids):
            raise ValueError("groups: the id of an arm occurs twice")
        for group in self.groups:
            shares = [arm.share for arm in group.arms]
            if not shares or min(shares) < 0 or abs(sum(shares) - 1.0) > 1e-6:
                raise ValueError(f"groups: the shares of {group.cohort or 'everybody else'} do not add up to 1")

    def write(self, path: str | Path) -> None:
        """Writes the file atomically."""
        write_text(path, write_json(self, indent=2) + "\n")


def read_arms(path: Path) -> Arms:
    """The arms in a file.

    Raises:
        ArmsError: there is no such file, or it is damaged.
    """
    try:
        text = path.read_text(encoding="utf-8")
        check_format(text, FORMAT, str(path), _REMEDY)
        return read_json(Arms, text, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ArmsError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except DocumentError as error:
        raise ArmsError(str(error)) from error
