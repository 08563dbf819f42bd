"""The viewers' behaviour: the true probability of every objective, and labels sampled from it.

An impression is first examined or not; without examination there is no reaction. Given examination, all objectives
except the last happen independently with the probability of their log-odds. An author replies only to a comment. So
p = examined * sigmoid(log-odds), and p(creator_reply) = p(comment) * p(reply given a comment), exactly. The probability
given examination is called relevance here; it does not depend on the order in which a session is shown.
"""

from collections.abc import Callable

import numpy as np

from datasets.synthetic import vocabulary as words
from datasets.synthetic.drift import Mood
from datasets.synthetic.impressions import Impressions, Sessions
from datasets.synthetic.signals import Signals
from datasets.synthetic.vocabulary import Bools, Floats, Ints
from datasets.synthetic.world import CONTROVERSY, DEPTH, WARMTH, World, sigmoid

COMMENT, CREATOR_REPLY = words.OBJECTIVES.index("comment"), words.OBJECTIVES.index("creator_reply")

# By device: cards after which half of the viewers whose usual scroll depth is _USUAL_SCROLL have left.
_PATIENCE = (22.0, 12.0, 11.0, 8.0)
_USUAL_SCROLL = 14.0


def log_odds(s: Signals, mood: Mood) -> Floats:
    """[objectives, impressions] log-odds given that the impression is examined; the last row also given a comment."""
    odds = np.stack([_OBJECTIVES[name](s) for name in words.OBJECTIVES]).astype(np.float32, copy=False)
    return odds + mood.intercepts[:, None]


def patience(world: World, sessions: Sessions, rows: Impressions) -> Floats:
    """[impressions], cards after which the viewer examines only every second one."""
    usual = np.array(_PATIENCE, np.float32)[sessions.device[rows.session]]
    return usual * world.viewers.scroll[rows.viewer] / np.float32(_USUAL_SCROLL)


def examination(patience: Floats, position: Ints) -> Floats:
    """The probability that an impression at that position, from 1, is examined."""
    return 1 / (1 + (position - 1).astype(np.float32) / patience)


def relevance(log_odds: Floats) -> Floats:
    """[objectives, impressions], the probability of every objective given that the impression is examined."""
    given_examined = sigmoid(log_odds)
    given_examined[CREATOR_REPLY] *= given_examined[COMMENT]
    return given_examined


def draw_labels(rng: np.random.Generator, examined: Floats, relevance: Floats) -> Bools:
    """[objectives, impressions] outcomes with the probabilities examined * relevance, and jointly as described above.

    Every impression has its own random numbers, by its place in the arrays. So with an equal generator its outcomes
    depend on its own probabilities only, and none is lost when it is examined more often.
    """
    seen = rng.random(len(examined)) < examined
    chance = rng.random(relevance.shape)
    labels = seen & (chance < relevance)
    labels[CREATOR_REPLY] = labels[COMMENT] & (chance[CREATOR_REPLY] * relevance[COMMENT] < relevance[CREATOR_REPLY])
    return labels


def _by_kind(s: Signals, *effects: float) -> Floats:
    """Effect of the content type: text, image, article, video, document, poll, job."""
    return np.array(effects, np.float32)[s.kind]


def _click(s: Signals) -> Floats:
    return (
        _by_kind(s, -1.3, -0.9, -0.3, -0.4, -0.2, -0.7, -0.9)
        + 0.6 * s.click * (1 + 0.5 * s.picky)
        + 0.07 * s.match
        + 0.5 * s.on_topic
        + 0.14 * s.quality
        + 0.7 * s.on_topic * s.good
        + 0.18 * s.fit
        + 0.5 * s.format
        + 0.1 * s.trend
        + 0.55 * s.novelty * s.picky
        + 0.4 * s.notified * s.close
        + 0.3 * (1 - s.on_topic) * s.close
        - 0.35 * s.mobile * np.abs(s.length - 0.5)
        - 0.18 * np.abs(s.rest - 3)
        + 0.3 * s.at_desk * (s.kind == words.ARTICLE)
        + 0.3 * s.winding_down * (1 - s.on_topic * (1 - s.good))
    )


def _long_dwell(s: Signals) -> Floats:
    return (
        _by_kind(s, -2.0, -2.3, -1.3, -1.1, -1.3, -2.7, -2.4)
        + 0.8 * s.dwell
        + 0.18 * s.click
        + 0.13 * s.match
        + 0.8 * s.on_topic * (s.length > 0.3)
        + 0.26 * s.quality
        + 0.18 * s.fit
        + 0.3 * s.dwell * s.styles[:, DEPTH]
        + 0.5 * s.format
        + 0.13 * s.trend
        + 0.35 * (1 - s.mobile) * np.minimum(s.length, 1)
        - 0.6 * s.mobile * np.abs(s.length)
        + 0.6 * s.winding_down * (s.kind == words.VIDEO)
    )


def _like(s: Signals) -> Floats:
    return (
        _by_kind(s, -3.7, -3.4, -3.9, -3.7, -3.7, -4.3, -5.3)
        + s.active
        + 0.15 * s.match
        + 0.3 * s.quality
        + 0.8 * s.on_topic * s.good
        + 0.5 * s.closeness
        + 1.2 * s.on_topic * s.close
        + 0.15 * s.closeness * s.styles[:, WARMTH]
        + 0.12 * s.fit
        + 0.4 * s.format
        + 0.1 * s.trend
    )


def _comment(s: Signals) -> Floats:
    return (
        _by_kind(s, -4.8, -5.0, -5.1, -5.2, -5.4, -4.3, -6.6)
        + 0.9 * s.talk
        + 0.2 * s.active
        + 0.15 * s.match
        + 0.3 * s.quality
        + 0.5 * s.closeness
        + 0.8 * s.on_topic * s.close
        + 1.1 * s.asks * s.on_topic
        + 0.3 * (s.closeness - 0.5) * s.styles[:, CONTROVERSY]
        + 0.15 * s.fit
        + 0.4 * s.format
        + 0.4 * s.novelty
    )


def _reshare(s: Signals) -> Floats:
    return (
        _by_kind(s, -6.5, -6.2, -5.5, -5.9, -5.4, -6.9, -5.7)
        + 0.7 * s.active
        + 0.3 * s.talk
        + 0.15 * s.match
        + 0.4 * s.quality
        + 0.9 * s.on_topic * s.good
        + 0.9 * s.on_topic * s.same_industry
        + 0.3 * s.reach
        + 0.3 * s.closeness
        + 0.2 * s.fit
        + 0.5 * s.format
        + 0.15 * s.trend
        + 0.5 * s.novelty
    )


def _creator_reply(s: Signals) -> Floats:
    return -1.5 + s.replies + 0.8 * s.closeness - 0.25 * s.fame + 0.5 * s.asks + 0.5 * s.novelty


_OBJECTIVES: dict[str, Callable[[Signals], Floats]] = {
    "click": _click,
    "long_dwell": _long_dwell,
    "like": _like,
    "comment": _comment,
    "reshare": _reshare,
    "creator_reply": _creator_reply,
}
