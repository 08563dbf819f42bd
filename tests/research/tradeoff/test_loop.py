"""The real loop: a pushed model, a server, the client, the feed log, record, suggest and report."""

from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from feed_ranker_client import arms as client_arms
from ranker.tradeoff.arms import read_arms
from research.tradeoff.loop import TRAIN_DAYS, Loop, run_loop

pytestmark = pytest.mark.slow


def test_arms_rank_are_logged_recorded_and_replaced(tmp_path: Path) -> None:
    loop = Loop(tmp_path, rounds=2, quick=True)
    run_loop(loop, Console(quiet=True))

    versions = {of.version: of for of in map(read_arms, sorted((loop.state / "arms").glob("*.json")))}
    assert list(versions) == list(range(1, len(versions) + 1))
    assert len(versions) >= 2
    assert read_arms(loop.state / "arms.json") == versions[len(versions)]
    shares = {arm.id: arm.share for of in versions.values() for group in of.groups for arm in group.arms}
    for number in range(TRAIN_DAYS, TRAIN_DAYS + loop.rounds):
        day = loop.parameters.start + timedelta(days=number)
        assert (loop.state / "days" / f"day-{day}.json").is_file()
        table = pq.read_table(loop.log / f"day-{day}").to_pandas()
        drawn = table.groupby("viewer_id")["arm"].agg(["nunique", "first"])
        assert set(drawn["nunique"]) == {1}
        version = versions[int(drawn["first"].iloc[0].split(".")[1])]
        served = client_arms.read_arms(loop.state / "arms" / f"version-{version.version:04d}.json")
        assert all(served.draw(viewer).id == arm for viewer, arm in drawn["first"].items())
        assert (table["arm_propensity"] - table["arm"].map(shares)).abs().max() < 1e-6
        assert set(table["arm"]) == {arm.id for arm in version.groups[0].arms}
    assert "Pareto front" in (loop.state / "report.html").read_text()
