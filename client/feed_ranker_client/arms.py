"""The arms of an experiment: the file that `python -m pipeline.tradeoff` writes, and the draw of a viewer's arm."""

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        id: unique over all experiments and versions.
        share: of the viewers of its group, which is the chance of being drawn.
        alpha: weight of passive consumption.
        lambda_: weight of the other objectives.
        weights: objective → its utility weight; the other objectives keep the config's.
    """

    id: str
    share: float
    alpha: float
    lambda_: float
    weights: Mapping[str, float]


@dataclass(frozen=True)
class Arms:
    """The arms of one version of an experiment.

    Attributes:
        version: of the file; a new version has new arms.
        salt: of the draw. Every version has its own, so that a viewer's arms in two versions are independent.
        by_input: the input of a request whose values are cohorts; None without.
        groups: cohort → its arms; None, the first one, is everybody who is in no other group.
    """

    version: int
    salt: str
    by_input: str | None
    groups: Mapping[str | None, tuple[Arm, ...]]

    def draw(self, viewer: str, cohort: str | None = None) -> Arm:
        """A viewer's arm: the same for every session while the version serves, and in every process.

        Args:
            viewer: the viewer's id.
            cohort: the value of `by_input`; ignored without one.
        """
        arms = self.groups.get(cohort, self.groups[None])
        place = _uniform(f"{self.salt}\n{viewer}")
        for arm in arms:
            if place < arm.share:
                return arm
            place -= arm.share
        return max(arms, key=lambda arm: arm.share)  # rounding left a gap at the end


def read_arms(path: Path) -> Arms:
    """The arms in a file.

    Raises:
        ArmsError: there is no such file, or it is damaged.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ArmsError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ArmsError(f"{path}: not JSON: {error}") from None
    if not isinstance(content, Mapping):
        raise ArmsError(f"{path}: not a JSON object")
    if (found := content.get("format")) != FORMAT:
        raise ArmsError(f"{path}: it has format {found}, but this version reads format {FORMAT}; {_REMEDY}")
    try:
        return _arms(content)
    except KeyError as error:
        raise ArmsError(f"{path}: {error.args[0]}: missing") from None
    except (AttributeError, TypeError, ValueError) as error:
        raise ArmsError(f"{path}: {error}") from None


def _arms(content: Mapping[str, Any]) -> Arms:
    groups = {group["cohort"]: tuple(_arm(arm) for arm in group["arms"]) for group in content["groups"]}
    if None not in groups:
        raise ValueError("groups: there is no group of everybody else, with cohort null")
    for cohort, arms in groups.items():
        if abs(sum(arm.share for arm in arms) - 1.0) > 1e-6:
            raise ValueError(f"groups: the shares of {cohort or 'everybody else'} do not add up to 1")
    return Arms(content["version"], str(content["salt"]), content["by_input"], groups)


def _arm(content: Mapping[str, Any]) -> Arm:
    setting = content["setting"]
    weights = {name: float(weight) for name, weight in setting["weights"].items()}
    return Arm(str(content["id"]), float(content["share"]), float(setting["alpha"]), float(setting["lambda_"]), weights)


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
