"""Figures for the JSON, and the table of the page."""

from collections.abc import Sequence

from benchmarks import pages
from benchmarks.harness import Figure
from benchmarks.pages import Column, words
from research.intervals import SeedEstimate
from research.online.arms import CONTROL, POSSIBLE, TRUTH
from research.online.results import OnlineResults
from research.quality.names import FORMER, OURS, WITH_EFFECTS, XGBOOST

LEAST_SHARE = 0.9
_LIMITS = (CONTROL, POSSIBLE, TRUTH)
"""The arms whose share of the possible gain is known, or is none."""


def figures(results: OnlineResults, name: str) -> list[Figure]:
    """The share of the possible gain, and utility and engagement compared with other arms.

    Args:
        results: of one behaviour.
        name: of the behaviour; it precedes the names of the figures, and `with_effects` those of ours with effects.
    """
    made = _figures_of(results, OURS, name)
    if WITH_EFFECTS in results.arms:
        made += _figures_of(results, WITH_EFFECTS, f"{name}.with_effects")
    return made


def _figures_of(results: OnlineResults, arm: str, name: str) -> list[Figure]:
    control = results.utility_per_session(CONTROL).value
    gain = results.utility_per_session(arm).value - control
    share = results.share_of_possible_gain(arm)
    made = [
        Figure(
            f"{name}.share_of_possible_gain",
            gain,
            gain / share.value,
            "utility per session",
            LEAST_SHARE,
            note=f"gain over the production ranker, divided by the possible gain: {_percent(share)}",
        )
    ]
    for title, rival in (("utility_over_xgboost", XGBOOST), ("utility_over_former_setup", FORMER)):
        if rival in results.arms:
            made.append(
                _over(
                    f"{name}.{title}",
                    results.utility_per_session(arm).value,
                    results.utility_over(arm, rival),
                    f"utility per session compared with {rival}",
                )
            )
    for group in ("passive", "active"):
        over = results.engagement_over(group, arm, CONTROL)
        made.append(_over(f"{name}.{group}_over_control", over.value, over, f"{group} engagement over {CONTROL}"))
    return made


def _over(name: str, ours: float, over: SeedEstimate, note: str) -> Figure:
    low, high = over.interval
    return Figure(name, ours, ours / over.value, "", 1.0, note=f"{note}: {over.value:.4f} ({low:.4f} to {high:.4f})")


def markdown(results: Sequence[OnlineResults], command: str, pictures: Sequence[str] = ()) -> str:
    """One table per behaviour: engagement and utility of every arm compared with the production ranker.

    Args:
        results: one per behaviour.
        command: the command of the run.
        pictures: file names of the pictures, one per behaviour, in the page's folder.
    """
    blocks = [pages.origin(command)]
    for index, result in enumerate(results):
        blocks.append(pages.heading(result.behaviour.capitalize()))
        blocks.append(
            f"{pages.counted(len(result.seeds), 'seed')}, each a feed of its own: "
            f"{pages.count(result.trained_on)} impressions to train on, {pages.count(result.impressions)} candidates "
            f"ranked, {pages.count(result.sessions)} sessions in all. Passive and active engagement and utility are "
            f"changes compared with the {CONTROL}, in expectation. 95 % intervals over sessions and seeds."
        )
        if pictures:
            blocks.append(pages.picture("Share of the possible gain of every arm", pictures[index]))
        blocks.append(pages.table(_columns(result), result.arms))
        if result.days > 1:
            blocks.append("The share of the possible gain in the first and in the second half of the days:")
            blocks.append(pages.table(_halves(result), [arm for arm in result.arms if arm not in _LIMITS]))
    return pages.join(blocks)


def _columns(result: OnlineResults) -> list[Column[str]]:
    def change(group: str) -> Column[str]:
        return Column(group, lambda arm: _change(result.engagement_over(group, arm, CONTROL), arm))

    return [
        words("arm", lambda arm: arm),
        change("passive"),
        change("active"),
        Column("utility", lambda arm: _change(result.utility_over(arm, CONTROL), arm)),
        Column("share of the possible gain", lambda arm: _share(result, arm)),
    ]


def _halves(result: OnlineResults) -> list[Column[str]]:
    """The columns of the table that shows whether an arm gains or loses by learning from its own log."""
    middle = result.days // 2

    def share(first: int, last: int) -> Column[str]:
        part = result.of_days(first, last)
        return Column(f"days {first + 1} to {last}", lambda arm: _percent(part.share_of_possible_gain(arm)))

    return [words("arm", lambda arm: arm), share(0, middle), share(middle, result.days)]


def _change(over: SeedEstimate, arm: str) -> str:
    if arm == CONTROL:
        return pages.NONE
    low, high = (100 * (end - 1) for end in over.interval)
    return f"{pages.with_interval(100 * (over.value - 1), (low, high), 2, signed=True)} %"


def _share(result: OnlineResults, arm: str) -> str:
    if arm in (CONTROL, POSSIBLE):
        return "0 %" if arm == CONTROL else "100 %"
    return pages.NONE if arm == TRUTH else _percent(result.share_of_possible_gain(arm))


def _percent(share: SeedEstimate) -> str:
    low, high = (100 * end for end in share.interval)
    return f"{pages.with_interval(100 * share.value, (low, high), 0)} %"
