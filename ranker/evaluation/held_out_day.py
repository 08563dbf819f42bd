"""Whether the held-out day is large enough, compared with the other days, to judge a model by."""

from dataclasses import dataclass

from ranker.config.gates import Gates


@dataclass(frozen=True)
class HeldOutDay:
    """The size of the held-out day, compared with the days before it.

    A day that ended early, or whose upload did, has few impressions and those of a few hours. Its intervals are wide,
    and what it says of the missing hours is nothing.

    Attributes:
        impressions: of the day.
        usual: the median of the impressions of the days before it; 0 if unknown.
        least_share: the smallest share of `usual` that is no small day.
        blocks: whether the day is small and the config lets that block the model.
    """

    impressions: int = 0
    usual: int = 0
    least_share: float = 0.0
    blocks: bool = False

    @staticmethod
    def of(impressions: int, usual: int, gates: Gates) -> "HeldOutDay":
        """The day, judged by the config.

        Example:
            >>> HeldOutDay.of(161, 9000, Gates()).is_small
            True
        """
        day = HeldOutDay(impressions, usual, gates.min_day_share)
        return HeldOutDay(impressions, usual, gates.min_day_share, day.is_small and gates.small_day == "block")

    @property
    def is_small(self) -> bool:
        """Whether the day is far smaller than the others."""
        return self.impressions < self.least_share * self.usual

    @property
    def text(self) -> str:
        """What is small, as a sentence without its full stop."""
        share = self.impressions / self.usual if self.usual else 0.0
        shown = f"{100.0 * share:.0f} %" if share >= 0.01 else "less than 1 %"
        blocked = "; this blocks the model, as gates.small_day is set" if self.blocks else ""
        return (
            f"the held-out day is far smaller than the others: {self.impressions:,} impressions are {shown} of the "
            f"{self.usual:,} of a usual day (limit {100.0 * self.least_share:g} %), so its metrics say little{blocked}"
        )
