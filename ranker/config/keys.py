"""The key columns of the feed log."""

from collections.abc import Iterable

from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, ColumnName
from ranker.config.names import folded, is_usable


@dataclass(frozen=True, config=CHECKED)
class Keys:
    """The columns that say whose impression it was and when.

    Each is the name of a column of the feed log, with any characters. A feature may read the same column.

    Attributes:
        session: what is ranked together. A log without sessions names the viewer's column for both; then all
            impressions of a viewer on a day are a session.
        viewer: intervals are computed over viewers, and early stopping holds out complete viewers.
        item: what was shown.
        timestamp: when it was shown; a timestamp, a date, or integer milliseconds since 1970.

    Example:
        >>> without_sessions = Keys(session="user", viewer="user", item="article", timestamp="shown_at")
    """

    session: ColumnName = "session_id"
    viewer: ColumnName = "viewer_id"
    item: ColumnName = "item_id"
    timestamp: ColumnName = "timestamp"

    @property
    def columns(self) -> tuple[str, str, str, str]:
        """The columns of the feed log: session, viewer, item, timestamp."""
        return self.session, self.viewer, self.item, self.timestamp

    def in_examples(self, others: Iterable[str]) -> "Keys":
        """The names of the keys in tf.Examples: those of the columns, unless they are taken or not usable.

        Args:
            others: the names of features and objectives.

        Example:
            >>> Keys(session="visit").in_examples(["item_id"])
            Keys(session='visit', viewer='viewer_id', item='item_key', timestamp='timestamp')
        """
        taken = {folded(name) for name in others}
        named = {}
        for role in ("session", "viewer", "item", "timestamp"):
            name = getattr(self, role)
            if folded(name) in taken or not is_usable(name):
                name = f"{role}_key"
                while folded(name) in taken or name in self.columns:
                    name += "_"
            taken.add(folded(name))
            named[role] = name
        return Keys(**named)
