"""An experiment: what its recorded days have measured, the next arms, and what to ship."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

from ranker.config.names import input_name
from ranker.config.pipeline import PipelineConfig
from ranker.config.tradeoff import TradeOff
from ranker.tradeoff.arms import FORMAT, Arm, ArmGroup, Arms
from ranker.tradeoff.measurements import OVERALL, Measurements, relative_changes
from ranker.tradeoff.metrics import Metrics
from ranker.tradeoff.offline import OfflinePrior, OfflineValues, ScoredDay
from ranker.tradeoff.optimiser import Optimiser, Suggestion
from ranker.tradeoff.setting import Setting
from ranker.tradeoff.space import Space
from ranker.tradeoff.sums import MIN_VIEWERS, ArmSums, DaySums, Rates, added, rates

MOST_COHORTS = 8
"""Cohorts with arms of their own, those with the most sessions; the others share the arms of everybody else."""

HOLDBACK = 0.1
"""The share of viewers that keep the former setting after shipping, so that the shipped one stays measured."""

_REFERENCE_EXPONENT = 6


class ExperimentError(ValueError):
    """Something cannot be computed from what is recorded; the message says why."""


@dataclass(frozen=True)
class ArmResult:
    """What one arm has done in one cohort, over all its days.

    Attributes:
        arm: the arm.
        version: of the arms.
        cohort: the value; "" for all viewers or where it was missing.
        sums: over all days.
        rates: of every metric; None with too few viewers.
        changes: relative to arm 0 of the same comparison, [metrics], with standard errors; None for arm 0 itself, and
            where it cannot be computed.
        deviations: standard errors, arm 0's included.
    """

    arm: Arm
    version: int
    cohort: str
    sums: ArmSums
    rates: Rates | None
    changes: tuple[float, ...] | None = None
    deviations: tuple[float, ...] | None = None


class Experiment:
    """The state of an experiment, and what follows from it.

    Args:
        config: of the pipeline.
        tradeoff: its part.
        name: the experiment's id.
        versions: version → arms, oldest first.
        days: recorded, oldest first.
        scored: the day for offline estimates, if one was scored.
    """

    def __init__(
        self,
        config: PipelineConfig,
        tradeoff: TradeOff,
        name: str,
        versions: Mapping[int, Arms],
        days: Sequence[DaySums],
        scored: ScoredDay | None = None,
    ) -> None:
        self.config, self.tradeoff, self.name = config, tradeoff, name
        self.versions, self.days, self.scored = versions, days, scored
        self.space, self.metrics = Space.of(config, tradeoff), Metrics.of(config, tradeoff)

    @property
    def seed(self) -> int:
        """Of Sobol sets and draws."""
        return int(self.name, 16)

    @cached_property
    def cohorts(self) -> tuple[str, ...]:
        """The cohorts with arms of their own, by falling number of sessions; empty without `by`."""
        if self.tradeoff.by is None:
            return ()
        sessions: dict[str, int] = {}
        for day in self.days:
            for arm in day.arms:
                sessions[arm.cohort] = sessions.get(arm.cohort, 0) + sum(arm.sessions)
        named = [cohort for cohort in sessions if cohort]
        return tuple(sorted(named, key=lambda cohort: (-sessions[cohort], cohort))[:MOST_COHORTS])

    @cached_property
    def offline(self) -> OfflineValues | None:
        """Offline estimates, if a day was scored."""
        return None if self.scored is None else OfflineValues(self.scored, self.config.objectives, self.space)

    @cached_property
    def prior(self) -> OfflinePrior | None:
        """The offline estimates of the metrics, as the optimiser uses them."""
        if self.offline is None:
            return None
        return self.offline.prior(self.metrics, self.space.spread(_REFERENCE_EXPONENT, self.seed))

    @cached_property
    def results(self) -> tuple[ArmResult, ...]:
        """What every arm has done, by version, cohort and arm; arms that no recorded day has are left out."""
        found: list[ArmResult] = []
        for version, arms in self.versions.items():
            for group in arms.groups:
                for cohort in sorted({of.cohort for of in self._sums_of(group)}):
                    found += self._compared(version, group, cohort)
        return tuple(found)

    @cached_property
    def measurements(self) -> Measurements:
        """All changes that can be computed, one comparison per version, group and cohort."""
        parts: list[Measurements] = []
        last = self._last_days
        comparisons: dict[tuple[int, str, str], list[ArmResult]] = {}
        for result in self.results:
            comparisons.setdefault((result.version, self._group_of(result), result.cohort), []).append(result)
        newest = max(last.values(), default=date.min)
        for (version, _, cohort), compared in comparisons.items():
            base, tested = compared[0], [of for of in compared if of.changes is not None]
            if not tested or base.rates is None:
                continue
            pairs = [of.rates for of in tested if of.rates is not None]
            changes, variances, shared = relative_changes(
                np.array([of.values for of in pairs]),
                np.array([of.variances for of in pairs]),
                np.array(base.rates.values),
                np.array(base.rates.variances),
            )
            code = self.cohorts.index(cohort) if cohort in self.cohorts else OVERALL
            parts.append(
                Measurements(
                    np.stack([self.space.point(of.arm.setting) for of in tested]),
                    *(changes, variances, shared),
                    np.zeros(len(tested), np.int64),
                    np.full(len(tested), code),
                    np.full(len(tested), float((newest - last[version]).days)),
                )
            )
        return Measurements.joined(parts) if parts else Measurements.none(len(self.space), len(self.metrics.all))

    @cached_property
    def optimiser(self) -> Optimiser:
        """What is believed after all recorded days."""
        return Optimiser(
            self.space,
            self.metrics,
            self.measurements,
            self.prior,
            self.tradeoff.half_life_days,
            self.tradeoff.cohort_share,
            len(self.cohorts),
            self.seed,
        )

    def codes(self) -> dict[str | None, int]:
        """Cohort → its code in the measurements; None is everybody else."""
        return {None: OVERALL, **{cohort: code for code, cohort in enumerate(self.cohorts)}}

    def waiting(self) -> str | None:
        """Why the newest arms should stay as they are; None if new ones can be written."""
        if not self.versions:
            return None
        version = max(self.versions)
        viewers = {
            self._number(arm): 0 for group in self.versions[version].groups for arm in group.arms if arm.share > 0
        }
        for result in self.results:
            if result.version == version:
                viewers[self._number(result.arm)] += result.sums.viewers
        number, least = min(viewers.items(), key=lambda entry: (entry[1], entry[0]))
        if least >= self.tradeoff.min_viewers:
            return None
        return (
            f"version {version} stays: arm {number} has {least:,} recorded viewers, and every arm needs "
            f"{self.tradeoff.min_viewers:,}"
        )

    def next_arms(self, count: int) -> tuple[Arms, dict[str | None, list[Suggestion]]]:
        """The arms of the next version, and what is believed about each tested setting, by cohort."""
        suggested = {cohort: self.optimiser.suggest(count, code) for cohort, code in self.codes().items()}
        groups = {
            cohort: [self.space.current, *(self.space.setting(of.point) for of in suggestions)]
            for cohort, suggestions in suggested.items()
        }
        shares = {
            cohort: [
                1.0 - self.tradeoff.explored,
                *[self.tradeoff.explored / (len(settings) - 1)] * (len(settings) - 1),
            ]
            for cohort, settings in groups.items()
        }
        return self._arms(groups, shares), suggested

    def shipped(self) -> dict[str | None, Suggestion | None]:
        """What to ship, by cohort; None where no setting is better than arm 0 at the confidence."""
        return {cohort: self.optimiser.ship(code) for cohort, code in self.codes().items()}

    def shipping_arms(self) -> Arms:
        """Arms that serve what is to be shipped to all viewers but the holdback."""
        groups: dict[str | None, list[Setting]] = {}
        shares: dict[str | None, list[float]] = {}
        for cohort, found in self.shipped().items():
            groups[cohort] = [self.space.current, *([] if found is None else [self.space.setting(found.point)])]
            shares[cohort] = [1.0] if found is None else [HOLDBACK, 1.0 - HOLDBACK]
        return self._arms(groups, shares)

    def check_day(self, sums: DaySums) -> None:
        """Checks that a day makes at least one comparison possible, together with the other days.

        Raises:
            ExperimentError: no arm has enough viewers, or arm 0 has none.
        """
        others = [day for day in self.days if day.day != sums.day]
        together = Experiment(self.config, self.tradeoff, self.name, self.versions, [*others, sums])
        of_day = {arm.arm for arm in sums.arms}
        mine = [of for of in together.results if of.arm.id in of_day]
        if any(of.changes is not None for of in mine):
            return
        viewers = ", ".join(f"{of.arm.id}: {of.sums.viewers:,}" for of in mine)
        raise ExperimentError(
            f"{sums.day}: no arm can be compared with arm 0. Both need at least {MIN_VIEWERS} viewers, and arm 0 a "
            f"positive of every metric; viewers by arm: {viewers}"
        )

    def _arms(self, groups: Mapping[str | None, list[Setting]], shares: Mapping[str | None, list[float]]) -> Arms:
        version = max(self.versions, default=0) + 1
        by = self.tradeoff.by
        return Arms(
            FORMAT,
            self.name,
            version,
            f"{self.name}.{version}",
            by,
            None if by is None else input_name(by),
            tuple(
                ArmGroup(
                    cohort,
                    tuple(
                        Arm(f"{self.name}.{version}.{group}-{number}", setting, share)
                        for number, (setting, share) in enumerate(zip(settings, shares[cohort], strict=True))
                    ),
                )
                for group, (cohort, settings) in enumerate(groups.items())
            ),
        )

    @cached_property
    def _by_arm(self) -> dict[str, list[tuple[str, ArmSums]]]:
        """Arm → days and sums."""
        found: dict[str, list[tuple[str, ArmSums]]] = {}
        for day in self.days:
            for arm in day.arms:
                found.setdefault(arm.arm, []).append((day.day, arm))
        return found

    @cached_property
    def _last_days(self) -> dict[int, date]:
        """Version → the newest day that has one of its arms."""
        found: dict[int, date] = {}
        for version, arms in self.versions.items():
            days = [day for group in arms.groups for arm in group.arms for day, _ in self._by_arm.get(arm.id, [])]
            if days:
                found[version] = date.fromisoformat(max(days))
        return found

    def _sums_of(self, group: ArmGroup) -> list[ArmSums]:
        return [sums for arm in group.arms for _, sums in self._by_arm.get(arm.id, [])]

    def _compared(self, version: int, group: ArmGroup, cohort: str) -> list[ArmResult]:
        """The arms of a group in a cohort, arm 0 first, with their changes."""
        weights = self.metrics.weights
        measured: list[tuple[Arm, ArmSums, Rates | None]] = []
        for arm in group.arms:
            parts = [sums for _, sums in self._by_arm.get(arm.id, []) if sums.cohort == cohort]
            if parts:
                sums = added(parts)
                enough = sums.viewers >= MIN_VIEWERS and sum(count > 0 for count in sums.sessions) > 1
                measured.append((arm, sums, rates(sums, weights) if enough else None))
        base = measured[0][2] if measured and measured[0][0].id == group.arms[0].id else None
        return [self._result(arm, version, cohort, sums, own, base, group) for arm, sums, own in measured]

    def _result(
        self,
        arm: Arm,
        version: int,
        cohort: str,
        sums: ArmSums,
        own: Rates | None,
        base: Rates | None,
        group: ArmGroup,
    ) -> ArmResult:
        if own is None or base is None or arm.id == group.arms[0].id or not all(base.values):
            return ArmResult(arm, version, cohort, sums, own)
        change, variance, shared = relative_changes(
            np.array([own.values]), np.array([own.variances]), np.array(base.values), np.array(base.variances)
        )
        deviation = np.sqrt(variance + shared**2)
        return ArmResult(arm, version, cohort, sums, own, tuple(change[0].tolist()), tuple(deviation[0].tolist()))

    @staticmethod
    def _group_of(result: ArmResult) -> str:
        return result.arm.id.rpartition("-")[0]

    @staticmethod
    def _number(arm: Arm) -> str:
        return arm.id.rpartition("-")[2]
