"""The working folder of a pipeline on one machine, and the lock against concurrent runs."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ranker.command_line import UsageError, writable_file, writable_folder

_SQLITE = b"SQLite format 3\x00"


class WorkdirBusyError(RuntimeError):
    """Another run has locked the folder."""


@dataclass(frozen=True)
class Workdir:
    """The paths of one pipeline's files.

    Attributes:
        root: the folder; all other paths are inside it.
        destination: path or URI of the push destination, where it is not inside the folder.
    """

    root: Path
    destination: str | None = None

    @property
    def metadata(self) -> Path:
        """The ML Metadata database; one per pipeline, as SQLite supports one writer."""
        return self.root / "metadata.sqlite"

    @property
    def artifacts(self) -> Path:
        """TFX's pipeline root."""
        return self.root / "artifacts"

    @property
    def serving_model(self) -> Path:
        """The push destination of runs that name no other one."""
        return self.root / "serving_model"

    @property
    def push_destination(self) -> str:
        """Path or URI with one numbered folder per blessed model, as TF Serving reads them."""
        return self.destination or str(self.serving_model)

    @property
    def built_in_feed(self) -> Path:
        """The generated feed log, for runs without `--feed-log`."""
        return self.root / "feed_log"

    @property
    def monitoring(self) -> Path:
        """The history of every day's health, and its page."""
        return self.root / "monitoring"

    @property
    def digests(self) -> Path:
        """Digests of the feed log's files, so that a closed day is read only once."""
        return self.root / "digests.json"

    @property
    def finished_run(self) -> Path:
        """The record of the newest finished run, by which an unchanged one is recognised."""
        return self.root / "finished_run.json"

    def run(self, run_id: str) -> Path:
        """The folder of one run's log and summary."""
        return self.root / "runs" / run_id

    def new_run(self, now: datetime) -> str:
        """The id of a new run, and its folder; call it with the working folder locked.

        The id is the time. Two runs can start within one second, and a local time occurs twice when clocks are put
        back; then the later run has a number behind the time.
        """
        started = now.strftime("%Y-%m-%dT%H-%M-%S")
        run_id, number = started, 1
        while self.run(run_id).exists():
            number += 1
            run_id = f"{started}-{number}"
        self.run(run_id).mkdir(parents=True)
        return run_id

    def check(self) -> None:
        """Checks that everything that a run writes here can be written; makes nothing.

        Raises:
            UsageError: a file stands where a folder has to be or the reverse, or something is read-only.
        """
        models = () if self.destination else (self.serving_model,)
        for folder in (self.artifacts, *models, self.built_in_feed, self.monitoring, self.root / "runs"):
            writable_folder("--workdir:", folder)
        for file in (self.metadata, self.digests, self.finished_run, self._lock):
            writable_file("--workdir:", file)
        if self.metadata.exists() and self.metadata.stat().st_size:
            with self.metadata.open("rb") as content:
                if content.read(len(_SQLITE)) != _SQLITE:
                    raise UsageError(
                        f"--workdir: {self.metadata}: it is damaged, or not an SQLite database; without it, everything "
                        "is computed again"
                    )

    @property
    def _lock(self) -> Path:
        return self.root / ".lock"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Locks the folder for this process; the lock is released when the process ends, however it ends.

        Raises:
            WorkdirBusyError: another process has locked it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise WorkdirBusyError(
                    f"{self.root}: the run with process id {holder} is writing here; wait for it, "
                    "or choose another --workdir"
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
