"""The state of an experiment: plain files in one folder, each written atomically.

    experiment.json           what the experiment is about; written once
    arms.json                 the arms that serve; clients read this file
    arms/version-0001.json    every version of them
    days/day-2026-01-05.json  the sums of a recorded day
    offline.npz               the day that was scored for offline estimates

A command that is killed at any moment leaves each file as it was or as it should be. A version of the arms is written
before `arms.json`, and the next command completes what is missing.
"""

import fcntl
import json
import secrets
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from pydantic.dataclasses import dataclass

from ranker.config.documents import to_json
from ranker.config.pipeline import PipelineConfig
from ranker.config.tradeoff import TradeOff
from ranker.documents import DocumentError, check_format, read_json, write_json
from ranker.files import atomic_file, make_folders, remove_leftovers, write_text
from ranker.plain_text import one_line
from ranker.tradeoff import sums as day_sums
from ranker.tradeoff.arms import Arms, ArmsError, read_arms
from ranker.tradeoff.offline import RandomOrder, ScoredDay
from ranker.tradeoff.sums import DaySums

FORMAT = 1
_REMEDY = "start a new experiment with another --state"
# They change how an experiment is run, not what it is about.
_FREE = frozenset({"explored", "min_viewers", "half_life_days", "arm", "propensity"})


class StateError(ValueError):
    """The folder of an experiment cannot be used; the message says why."""


@dataclass(frozen=True)
class Identity:
    """What an experiment is about.

    Attributes:
        format: of the file.
        experiment: a random id.
        definition: goal, guardrails, search space, objectives and current setting.
    """

    format: int
    experiment: str
    definition: dict[str, Any]


class ExperimentState:
    """The folder of one experiment.

    Args:
        root: the folder; need not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def arms_file(self) -> Path:
        """The file that clients read."""
        return self.root / "arms.json"

    @property
    def report_file(self) -> Path:
        """The page."""
        return self.root / "report.html"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Locks the folder for this process, and removes what a killed one left behind.

        Raises:
            StateError: another process has locked it.
        """
        make_folders(self.root)
        with (self.root / ".lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StateError(f"{self.root}: another command is writing there; run this one again") from None
            for folder in (self.root, self._versions, self._days):
                if folder.is_dir():
                    remove_leftovers(folder)
            yield

    def open(self, config: PipelineConfig, tradeoff: TradeOff, *, create: bool) -> Identity:
        """The experiment in the folder; with `create`, a new one if there is none.

        Raises:
            StateError: there is none, its file is damaged, or it is about something else than the config.
        """
        path = self.root / "experiment.json"
        expected = definition(config, tradeoff)
        if not path.exists():
            if any(self.root.glob("*.json")) or self._days.exists():
                raise StateError(f"{self.root}: there are files of an experiment, but no experiment.json")
            identity = Identity(FORMAT, secrets.token_hex(4), expected)
            if not create:
                raise StateError(f"{self.root}: there is no experiment; start one with suggest")
            write_text(path, write_json(identity, indent=2) + "\n")
            return identity
        try:
            text = path.read_text(encoding="utf-8")
            check_format(text, FORMAT, str(path), _REMEDY)
            identity = read_json(Identity, text, str(path))
        except (DocumentError, UnicodeDecodeError) as error:
            raise StateError(f"{path}: damaged: {error}") from None
        if different := sorted(
            name
            for name in expected.keys() | identity.definition.keys()
            if expected.get(name) != identity.definition.get(name)
        ):
            raise StateError(
                f"{self.root}: this experiment has another {', '.join(map(one_line, different))} than config "
                f"{config.name}; {_REMEDY}"
            )
        self._complete()
        return identity

    def versions(self, identity: Identity) -> dict[int, Arms]:
        """Version → its arms, oldest first.

        Raises:
            StateError: a file is damaged, or of another experiment.
        """
        found = {}
        for path in sorted(self._versions.glob("version-*.json")):
            arms = self._read_version(path)
            if arms.experiment != identity.experiment:
                raise StateError(f"{path}: it is of experiment {one_line(arms.experiment)}, not {identity.experiment}")
            found[arms.version] = arms
        return dict(sorted(found.items()))

    def write_arms(self, arms: Arms) -> None:
        """Writes a version, and then the file that clients read."""
        arms.write(self._versions / f"version-{arms.version:04}.json")
        arms.write(self.arms_file)

    def days(self, identity: Identity, config: PipelineConfig) -> list[DaySums]:
        """The recorded days, oldest first.

        Raises:
            StateError: a file is damaged, or of another experiment.
        """
        return [self._day(path, identity, config) for path in sorted(self._days.glob("day-*.json"))]

    def write_day(self, sums: DaySums) -> None:
        """Writes a day in place of an earlier record of it."""
        write_text(self._days / f"day-{sums.day}.json", write_json(sums) + "\n")

    def scored_day(self) -> ScoredDay | None:
        """The day for offline estimates; None if none was scored.

        Raises:
            StateError: the file is damaged.
        """
        path = self.root / "offline.npz"
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as file:
                stored = {name: file[name] for name in file.files}
            observed = (
                RandomOrder(stored["position"], stored["propensity"], stored["outcomes"], stored["viewer"])
                if "position" in stored
                else None
            )
            return ScoredDay(stored["session"], stored["probabilities"], int(stored["k"]), observed)
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise StateError(f"{path}: damaged: {error}; score a day again with suggest") from error

    def write_scored_day(self, day: ScoredDay) -> None:
        """Writes the day for offline estimates."""
        observed = day.observed
        arrays: dict[str, Any] = {"session": day.session, "probabilities": day.probabilities, "k": np.array(day.k)}
        if observed is not None:
            arrays |= {
                "position": observed.position,
                "propensity": observed.propensity,
                "outcomes": observed.outcomes,
                "viewer": observed.viewer,
            }
        with atomic_file(self.root / "offline.npz") as path, path.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @property
    def _versions(self) -> Path:
        return self.root / "arms"

    @property
    def _days(self) -> Path:
        return self.root / "days"

    def _complete(self) -> None:
        """Makes the newest version the one that clients read, where a killed command did not get so far."""
        paths = sorted(self._versions.glob("version-*.json"))
        if paths and (not self.arms_file.exists() or self.arms_file.read_bytes() != paths[-1].read_bytes()):
            self._read_version(paths[-1]).write(self.arms_file)

    @staticmethod
    def _read_version(path: Path) -> Arms:
        try:
            return read_arms(path)
        except ArmsError as error:
            raise StateError(str(error)) from None

    def _day(self, path: Path, identity: Identity, config: PipelineConfig) -> DaySums:
        try:
            text = path.read_text(encoding="utf-8")
            check_format(text, day_sums.FORMAT, str(path), "record the day again")
            found = read_json(DaySums, text, str(path))
            date.fromisoformat(found.day)
        except (DocumentError, UnicodeDecodeError, ValueError) as error:
            raise StateError(f"{path}: damaged: {error}; remove it and record the day again") from None
        if found.experiment != identity.experiment:
            raise StateError(f"{path}: it is of experiment {one_line(found.experiment)}, not {identity.experiment}")
        if not day_sums.objectives_match(found, config.objective_names):
            raise StateError(f"{path}: it has other objectives than config {config.name}; record the day again")
        return found


def definition(config: PipelineConfig, tradeoff: TradeOff) -> dict[str, Any]:
    """What may not change during an experiment, by field of the config."""
    declared = {name: value for name, value in json.loads(to_json(tradeoff)).items() if name not in _FREE}
    return {
        "config": config.name,
        "objectives": [json.loads(to_json(objective)) for objective in config.objectives],
        "utility": {"alpha": config.utility.alpha, "lambda_": config.utility.lambda_},
        **{f"tradeoff.{name}": value for name, value in declared.items()},
    }
