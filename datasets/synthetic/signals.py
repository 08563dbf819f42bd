"""The signals that behaviour depends on: traits of viewer, author and item, and their interactions, per impression.

Nearly all of them are functions of logged columns. The others are logged with a little noise (past rates, the quality
score) or are contained in the content embedding (the styles). So a model can get close to the true probabilities.
"""

from dataclasses import dataclass

import numpy as np

from datasets.synthetic import vocabulary as words
from datasets.synthetic.impressions import Impressions, Sessions
from datasets.synthetic.today import Today
from datasets.synthetic.vocabulary import Floats, Ints
from datasets.synthetic.world import World

_GOOD_MATCH = 0.55
_GOOD_QUALITY = 0.4
_CLOSE = 0.5

# How much each career stage prefers a format: text, image, article, video, document, poll, job.
_FORMAT_TASTE = (
    (-0.8, 0.9, -0.8, 0.9, -0.8, 0.9, 0.9),  # starting out
    (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),  # experienced
    (0.9, -0.9, 0.9, -0.9, 0.9, -0.9, -0.9),  # at the top
)
_STAGE_OF_SENIORITY = (0, 0, 1, 1, 2, 2, 2, 1)


@dataclass(frozen=True)
class Signals:
    """One entry per impression.

    Attributes:
        click, dwell, active, talk: log-odds by which the viewer clicks, stays, reacts, comments more than average.
        match: how well the item's topics fit the viewer's interests; about 0 on average.
        on_topic: 1 where the match is good, else 0.
        picky: on_topic minus its usual value.
        quality, good: how engaging the item is; 1 where that is above a threshold, else 0.
        styles: [impressions, styles].
        fit: how much viewers of this seniority like the item's style today.
        format: how much viewers of this career stage like the item's format.
        trend: how popular the item's topics are today.
        novelty: 1 for an item that has just been published, decays to 0 with age.
        length: log of the content's length over a usual one.
        closeness, close: how well the viewer knows the author, from about 0 to 2; 1 above a threshold, else 0.
        asks, same_industry, mobile, at_desk, winding_down, notified: 0 or 1.
        rest: log of the hours since the last visit.
        kind: content type.
        reach: log of the viewer's connections over a usual number.
        replies: log-odds by which the author answers comments.
        fame: log of the author's followers over a usual number.
    """

    click: Floats
    dwell: Floats
    active: Floats
    talk: Floats
    match: Floats
    on_topic: Floats
    picky: Floats
    quality: Floats
    good: Floats
    styles: Floats
    fit: Floats
    format: Floats
    trend: Floats
    novelty: Floats
    length: Floats
    closeness: Floats
    close: Floats
    asks: Floats
    same_industry: Floats
    mobile: Floats
    at_desk: Floats
    winding_down: Floats
    notified: Floats
    rest: Floats
    kind: Ints
    reach: Floats
    replies: Floats
    fame: Floats


def signals(world: World, today: Today, sessions: Sessions, rows: Impressions) -> Signals:
    """The signals of the impressions."""
    items = today.items
    viewers, authors = world.viewers, world.authors
    viewer, author, item, session = rows.viewer, rows.author, rows.item, rows.session
    seniority, kind = viewers.seniority[viewer], items.kind[item]
    styles, quality = items.styles[item], items.quality[item]
    on_topic = _flag(rows.match > _GOOD_MATCH)
    closeness = _closeness(rows)
    mobile = sessions.device[session] != words.DESKTOP
    hour = sessions.hour_local[session]
    stage = np.array(_STAGE_OF_SENIORITY)[seniority]
    return Signals(
        click=viewers.click[viewer],
        dwell=viewers.dwell[viewer],
        active=viewers.active[viewer],
        talk=viewers.talk[viewer],
        match=(rows.match - 0.45) / 0.3,
        on_topic=on_topic,
        picky=on_topic - 0.4,
        quality=quality,
        good=_flag(quality > _GOOD_QUALITY),
        styles=styles,
        fit=np.einsum("ij,ij->i", today.mood.taste[seniority], styles),
        format=np.array(_FORMAT_TASTE, np.float32)[stage, kind],
        trend=topic_trend(today)[item],
        novelty=np.exp(-rows.age_hours / 8),
        length=np.log(items.length[item] / 300),
        closeness=closeness,
        close=_flag(closeness > _CLOSE),
        asks=_flag(items.asks[item]),
        same_industry=_flag(rows.same_industry),
        mobile=_flag(mobile),
        at_desk=_flag(~mobile & (np.abs(hour - 13) <= 4)),
        winding_down=_flag(mobile & ((hour >= 19) | (hour <= 1))),
        notified=_flag(sessions.surface[session] == words.NOTIFICATION),
        rest=np.log1p(np.nan_to_num(sessions.hours_since_last_visit[session], nan=24.0)),
        kind=kind,
        reach=np.log1p(viewers.connections[viewer]) - np.float32(np.log(150)),
        replies=authors.replies[author],
        fame=np.log1p(authors.followers[author] / 400),
    )


def topic_trend(today: Today) -> Floats:
    """[items], how popular the topics of each item are."""
    return today.items.topics @ today.mood.topics


def _closeness(rows: Impressions) -> Floats:
    known = np.array([0.35, 0.2, 0.05, -0.1], np.float32)[rows.degree]
    recency = np.nan_to_num(np.exp(-rows.days_since / 20), nan=0.0)
    return known + 0.35 * np.log1p(rows.interactions) + 0.4 * recency


def _flag(condition: words.Bools) -> Floats:
    return condition.astype(np.float32)
