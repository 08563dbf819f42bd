"""What drifts from day to day: the popularity of topics, the tastes of each seniority, and the base rates."""

from dataclasses import dataclass

import numpy as np

from datasets.synthetic import vocabulary as words
from datasets.synthetic.vocabulary import Floats
from datasets.synthetic.world import STYLES

_TOPIC_STEP = 0.12
_TASTE_STEP = 0.04
_INTERCEPT_STEP = 0.02


@dataclass(frozen=True)
class Mood:
    """The state of the network on one day.

    Attributes:
        topics: [topics], popularity of each topic in standard deviations.
        taste: [seniorities, styles], what each seniority likes in a post.
        intercepts: [objectives], log-odds added to every impression.
    """

    topics: Floats
    taste: Floats
    intercepts: Floats


def mood_of(day: int, seed: int, drift: float) -> Mood:
    """The mood of day `day`, counted from the start: a random walk with one step per day, scaled by `drift`.

    The steps up to that day are drawn again from the days' seeds, so that no other day has to be simulated.
    """
    sizes = (len(words.TOPICS), len(words.SENIORITIES) * STYLES, len(words.OBJECTIVES))
    lengths = np.repeat((_TOPIC_STEP, _TASTE_STEP, _INTERCEPT_STEP), sizes)
    walk = np.zeros(sum(sizes))
    for step in range(1, day + 1):
        walk += drift * lengths * seeded(seed, "mood", step).standard_normal(sum(sizes))
    start = seeded(seed, "mood", 0)
    walk[: sizes[0]] += 0.7 * start.standard_normal(sizes[0])
    topics, taste, intercepts = np.split(walk.astype(np.float32), np.cumsum(sizes)[:-1])
    return Mood(topics, _usual_taste() + taste.reshape(-1, STYLES), intercepts)


def seeded(seed: int, what: str, *numbers: int) -> np.random.Generator:
    """An independent generator for one part of the simulation, such as ("items", day); the numbers are non-negative."""
    return np.random.default_rng(np.random.SeedSequence([seed, int.from_bytes(what.encode()[:8]), *numbers]))


def _usual_taste() -> Floats:
    """[seniorities, styles]: with rank, depth gains and warmth loses; controversy and craft appeal to some ranks."""
    return np.array(
        [
            # depth, warmth, controversy, craft
            [-0.9, 0.8, -0.3, 0.2],  # student
            [-0.6, 0.7, 0.2, -0.2],  # entry
            [0.3, 0.1, 0.6, 0.4],  # senior
            [0.1, 0.3, -0.6, 0.3],  # manager
            [0.8, -0.4, -0.4, 0.7],  # director
            [1.0, -0.7, 0.3, 0.2],  # vp
            [1.1, -0.8, 0.8, -0.4],  # cxo
            [-0.2, -0.1, 0.9, -0.7],  # owner
        ],
        np.float32,
    )
