"""Figures for the JSON and the page's table."""

from collections.abc import Mapping, Sequence

from benchmarks import pages
from benchmarks.harness import Figure
from benchmarks.pages import Column, words
from ranker.evaluation.off_policy import PolicyValue
from research.open_bandit.estimating import Valued

ESTIMATORS = ("ips", "self_normalised", "doubly_robust")

_Row = tuple[str, str, Valued]
_ABOUT = (
    "Click rate in percent, with 95 % intervals. `online` is what the policy got itself; the other columns are "
    "estimated from the log of the other policy. `matched` is the click rate of the item that the policy shows most at "
    "each position."
)


def figures(valued: Mapping[tuple[str, str], Valued]) -> list[Figure]:
    """Every estimate compared with what the policy got online, by campaign and policy."""
    made = []
    for (campaign, policy), found in valued.items():
        for name in ESTIMATORS:
            estimate: PolicyValue = getattr(found, name)
            if not estimate.too_few:
                made.append(
                    Figure(
                        f"{campaign}.{policy.lower().replace(' ', '_')}.{name}",
                        estimate.estimate.value,
                        found.online.estimate.value,
                        "click rate",
                        note=f"estimated {_shown(estimate)} %, online {_shown(found.online)} %",
                    )
                )
    return made


def markdown(valued: Mapping[tuple[str, str], Valued], command: str) -> str:
    """The table of all campaigns and policies, with the command that made it."""
    rows: Sequence[_Row] = [(campaign, policy, found) for (campaign, policy), found in valued.items()]
    columns: list[Column[_Row]] = [
        words("campaign", lambda row: row[0]),
        words("policy", lambda row: row[1]),
        Column("online", lambda row: _shown(row[2].online)),
        Column("IPS", lambda row: _shown(row[2].ips)),
        Column("self-normalised", lambda row: _shown(row[2].self_normalised)),
        Column("doubly robust", lambda row: _shown(row[2].doubly_robust)),
        Column("effective impressions", lambda row: pages.count(row[2].ips.effective_sessions)),
        Column("matched", lambda row: _shown(row[2].matched)),
        Column("matches", lambda row: pages.count(row[2].matched.effective_sessions) if row[2].matched else pages.NONE),
    ]
    return pages.join([_ABOUT, pages.origin(command), pages.table(columns, rows)])


def _shown(value: PolicyValue | None) -> str:
    if value is None:
        return pages.NONE
    if value.too_few:
        return "too few"
    estimate = value.estimate
    return pages.with_interval(100 * estimate.value, (100 * estimate.lower, 100 * estimate.upper), 2)
