"""The arms of an experiment: the file that serving reads, and the draw of a viewer's arm.

The file is all that serving needs: settings take effect as soon as it is written, without a new model. It imports no
optimiser.
"""

import hashlib
import logging
import os
from pathlib import Path

from pydantic.dataclasses import dataclass

from ranker.documents import DocumentError, check_format, read_json, write_json
from ranker.files import write_text
from ranker.tradeoff.setting import Setting

FORMAT = 1
_REMEDY = "write it again with python -m pipeline.tradeoff suggest"
_HASHED_BYTES = 8
_log = logging.getLogger(__name__)


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

    Example:
        >>> setting = Setting(0.5, 0.1, {})
        >>> arms = Arms(FORMAT, "ab12", 1, "ab12.1", None, None, (
        ...     ArmGroup(None, (Arm("ab12.1.0-0", setting, 0.5), Arm("ab12.1.0-1", setting, 0.5))),))
        >>> arms.draw("viewer-7").id == arms.draw("viewer-7").id
        True
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

    def draw(self, viewer: str, cohort: str | None = None) -> Arm:
        """A viewer's arm: the same for every session while the version serves, and in every process.

        Args:
            viewer: the viewer's id.
            cohort: the value of `by`; ignored without one.
        """
        group = next((group for group in self.groups[1:] if group.cohort == cohort), self.groups[0])
        place = _uniform(f"{self.salt}\n{viewer}")
        for arm in group.arms:
            if place < arm.share:
                return arm
            place -= arm.share
        return max(group.arms, key=lambda arm: arm.share)  # rounding left a gap at the end

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


class ServedArms:
    """A file of arms that is read again when it changes.

    A file that is missing or damaged later changes nothing: the arms that were read last stay, and a warning is logged.

    Args:
        path: of the file.

    Raises:
        ArmsError: the file cannot be read now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._identity()
        self._arms = read_arms(path)

    def current(self) -> Arms:
        """The arms in the file now."""
        found = self._identity()
        if found != self._seen:
            self._seen = found
            try:
                self._arms = read_arms(self._path)
            except ArmsError as error:
                _log.warning("%s; version %d continues to serve", error, self._arms.version)
        return self._arms

    def _identity(self) -> tuple[int, ...]:
        """What changes when the file is replaced."""
        try:
            found = os.stat(self._path)
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_ino, found.st_size


def _uniform(text: str) -> float:
    """A hash as a number from 0 to below 1."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASHED_BYTES).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)
