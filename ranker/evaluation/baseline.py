"""What a candidate is compared with: a pushed model, or the reason why there is none."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Baseline:
    """The pushed model that the candidate is compared with.

    Attributes:
        version: its version, or None if there is none.
        dropped: why the candidate was not compared with it, or None.
        reason: why it is not the serving version, or why there is none although a model serves; otherwise None.
        lacks: objectives that it does not predict; the candidate's were not compared.
        blocks: whether the missing comparison blocks the candidate.
        unread: feature columns that it reads and the config no longer has; it was scored as if they were missing.
    """

    version: str | None = None
    dropped: str | None = None
    reason: str | None = None
    lacks: tuple[str, ...] = ()
    blocks: bool = False
    unread: tuple[str, ...] = ()

    @property
    def is_missing(self) -> bool:
        """Whether a model serves, but the candidate was compared with none."""
        return self.dropped is not None or (self.version is None and self.reason is not None)

    @property
    def is_partial(self) -> bool:
        """Whether it was compared in part only: without some objectives, or without columns that it reads."""
        return bool(self.lacks or self.unread)

    @property
    def is_serving(self) -> bool:
        """Whether every objective was compared with the serving model."""
        return self.version is not None and not (self.is_missing or self.reason or self.is_partial)

    @property
    def text(self) -> str:
        """What the candidate was compared with, as a sentence without its full stop."""
        because = f"; {self.reason}" if self.reason else ""
        blocked = "; this blocks it, as gates.baseline_required is set" if self.blocks else ""
        if self.version is None:
            return f"not compared with a pushed model{because or '; none was serving'}{blocked}"
        which = f"version {self.version}" if self.reason else f"the model now serving, version {self.version}"
        if self.dropped is not None:
            return f"not compared with {which}: {self.dropped}{because}{blocked}"
        lacking = f"; it does not predict {', '.join(self.lacks)}, so these were not compared" if self.lacks else ""
        unread = ""
        if self.unread:
            columns = ", ".join(self.unread)
            unread = (
                f"; it reads {columns}, which the config no longer has, and was scored as if that were missing, so the "
                "comparison favours the new model: python -m pipeline.compare scores each with all that it reads"
            )
        return f"compared with {which}, on the same impressions{because}{lacking}{unread}"
