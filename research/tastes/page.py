"""Figures for the JSON, and the tables of the page."""

from benchmarks import pages
from benchmarks.harness import Figure
from benchmarks.pages import Column, words
from research.forest_share.measuring import ALL, COLD, GROUPS, WARM, WARM_FROM
from research.intervals import SeedEstimate
from research.online.arms import CONTROL, POSSIBLE
from research.online.results import OnlineResults
from research.tastes.names import FEATURES, LEARNABLE, ORACLE
from research.tastes.study import TastesResults

LEAST_CLOSED = 0.5

_GROUP_TITLES = {
    ALL: "All viewers",
    WARM: f"Warm viewers: at least {WARM_FROM} impressions in the training days",
    COLD: f"Cold viewers: fewer than {WARM_FROM}",
}


def figures(results: TastesResults) -> list[Figure]:
    """The share of the gap that every arm closes, and what cold viewers gain.

    `tastes_gap_closed` is that of the arm that closes most.
    """
    everyone, cold = results.online(ALL), results.online(COLD)
    if everyone is None:
        return []
    closed = {arm: everyone.share_of_gap(arm, FEATURES, ORACLE) for arm in results.arms}
    best = max(closed, key=lambda arm: closed[arm].value)
    made = [_closed("tastes_gap_closed", everyone, best, closed[best], LEAST_CLOSED)]
    made += [_closed(f"tastes_gap_closed.{arm.replace(' ', '_')}", everyone, arm, closed[arm]) for arm in results.arms]
    made += [_of_possible_gain(everyone, arm) for arm in (FEATURES, *results.arms)]
    if cold is not None:
        made += [_of_cold_viewers(cold, arm) for arm in results.arms]
    return made


def _closed(name: str, online: OnlineResults, arm: str, closed: SeedEstimate, target: float | None = None) -> Figure:
    gap = online.utility_per_session(ORACLE).value - online.utility_per_session(FEATURES).value
    note = f"{arm}: gain over {FEATURES}, divided by the oracle's: {_percent(closed)}"
    return Figure(name, closed.value * gap, gap, "utility per session", target, note=note)


def _of_possible_gain(online: OnlineResults, arm: str) -> Figure:
    share = online.share_of_possible_gain(arm)
    possible = online.utility_per_session(POSSIBLE).value - online.utility_per_session(CONTROL).value
    note = f"gain in utility over the {CONTROL}, divided by the gain of {POSSIBLE}: {_percent(share)}"
    name = f"share_of_possible_gain.{arm.replace(' ', '_')}"
    return Figure(name, share.value * possible, possible, "utility per session", note=note)


def _of_cold_viewers(cold: OnlineResults, arm: str) -> Figure:
    own, over = cold.utility_per_session(arm).value, cold.utility_over(arm, FEATURES)
    low, high = over.interval
    note = f"utility of cold viewers over that of {FEATURES}: {over.value:.4f} ({low:.4f} to {high:.4f})"
    return Figure(f"cold_viewers.{arm.replace(' ', '_')}", own, own / over.value, "utility per session", note=note)


def markdown(results: TastesResults, command: str, picture: str | None = None) -> str:
    """A table for each group of viewers.

    Args:
        results: of the feeds.
        command: the command of the run.
        picture: its file name, in the page's folder.
    """
    blocks = [
        pages.origin(command),
        f"{pages.counted(len(results.ranked), 'seed')}, each with a feed of its own: {pages.count(results.trained_on)} "
        f"impressions to train on, {pages.count(results.sessions(ALL))} sessions of the next day in all. Utility is in "
        f"expectation, and compared with a model of the {FEATURES}. 95 % intervals over sessions and seeds.",
        f"The oracle ranks by true expectations, given the tastes of viewers with at least {WARM_FROM} impressions in "
        f"the training days; those of the others are averaged out. `{POSSIBLE}` averages out all tastes. `{LEARNABLE}` "
        "is the mode of the tastes' posterior given the training days, ranked by true probabilities. It knows all else "
        "that no model knows, so what it lacks of the oracle is not in these days.",
        f"The possible gain is that of `{POSSIBLE}` over the {CONTROL}, as in `research.online`.",
    ]
    if picture:
        blocks.append(pages.picture("Share of the gap that every arm closes", picture))
    for group in GROUPS:
        online = results.online(group)
        blocks += [pages.heading(_GROUP_TITLES[group]), f"{pages.count(results.sessions(group))} sessions."]
        if online is not None:
            blocks.append(pages.table(_columns(online), [FEATURES, *results.arms, POSSIBLE, LEARNABLE, ORACLE]))
    return pages.join(blocks)


def _columns(online: OnlineResults) -> list[Column[str]]:
    def utility(arm: str) -> str:
        if arm == FEATURES:
            return pages.NONE
        over = online.utility_over(arm, FEATURES)
        low, high = (100 * (end - 1) for end in over.interval)
        return f"{pages.with_interval(100 * (over.value - 1), (low, high), 2, signed=True)} %"

    # Where the gap is not significantly above 0, its shares mean nothing.
    is_gap = online.utility_over(ORACLE, FEATURES).interval[0] > 1

    def share(arm: str) -> str:
        return _percent(online.share_of_gap(arm, FEATURES, ORACLE)) if is_gap and arm != FEATURES else pages.NONE

    return [
        words("arm", lambda arm: arm),
        Column(f"utility over {FEATURES}", utility),
        Column("share of the possible gain", lambda arm: _percent(online.share_of_possible_gain(arm))),
        Column("share of the gap", share),
    ]


def _percent(share: SeedEstimate) -> str:
    low, high = (100 * end for end in share.interval)
    return f"{pages.with_interval(100 * share.value, (low, high), 1)} %"
