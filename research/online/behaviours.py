"""The behaviour of viewers and of the production ranker that an A/B test simulates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType

from datasets.synthetic.feed import DEFAULT_START, generate
from datasets.synthetic.parameters import FeedParameters


@dataclass(frozen=True)
class SimulatedFeed:
    """A feed with a behaviour, whose newest day is held out.

    Attributes:
        log: the folder of the feed log.
        parameters: of the simulator.
        newest: the newest day.
        day: the same, counted from the feed's start.
    """

    log: Path
    parameters: FeedParameters
    newest: date
    day: int


@dataclass(frozen=True)
class Behaviour:
    """Settings of the simulator.

    Attributes:
        name: the option of the command line.
        title: in words.
        tastes, ranker_noise, ranker_tastes, exploration: see `FeedParameters`.
    """

    name: str
    title: str
    tastes: float
    ranker_noise: float
    ranker_tastes: float
    exploration: float

    def parameters(self, impressions_per_day: int, seed: int) -> FeedParameters:
        """The settings of a feed with this behaviour."""
        return FeedParameters(
            impressions_per_day,
            seed,
            DEFAULT_START,
            tastes=self.tastes,
            ranker_noise=self.ranker_noise,
            ranker_tastes=self.ranker_tastes,
            exploration=self.exploration,
        )

    def feed(self, work: Path, impressions: int, days: int, seed: int) -> SimulatedFeed:
        """The feed of a seed, in a folder of that name, which programs with the same work folder share.

        Args:
            work: where the folder is; existing days are kept.
            impressions: of the feed, over all days.
            days: of the feed.
            seed: of the simulator.
        """
        parameters = self.parameters(impressions // days, seed)
        log = work / f"feed-{self.name}-{impressions}-{seed}"
        return SimulatedFeed(log, parameters, self.log(log, parameters, days), days - 1)

    def log(self, folder: Path, parameters: FeedParameters, days: int) -> date:
        """Writes the feed log as the production ranker showed it; existing days are kept. Returns its newest day."""
        made = generate(
            folder,
            days=days,
            impressions_per_day=parameters.impressions_per_day,
            seed=parameters.seed,
            start=parameters.start,
            tastes=self.tastes,
            ranker_noise=self.ranker_noise,
            ranker_tastes=self.ranker_tastes,
            exploration=self.exploration,
        )
        return made[-1].day


def _behaviours() -> dict[str, Behaviour]:
    usual = FeedParameters(1, 0, DEFAULT_START)
    default = Behaviour(
        "default",
        "the built-in feed's default",
        usual.tastes,
        usual.ranker_noise,
        usual.ranker_tastes,
        usual.exploration,
    )
    former = Behaviour("former", "no hidden tastes, a ranker's noise of 0.9, no exploration", 0.0, 0.9, 0.0, 0.0)
    return {behaviour.name: behaviour for behaviour in (default, former)}


BEHAVIOURS: Mapping[str, Behaviour] = MappingProxyType(_behaviours())
