"""`python -m pipeline.tradeoff`: suggest, record and report on a log whose sessions were ranked by the arms."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pipeline_config
from datasets.synthetic.parameters import FeedParameters
from datasets.synthetic.simulator import Simulator
from feed_ranker_client import arms as client_arms
from pipeline.tradeoff import main
from pipeline_config import FEED
from ranker.config.tradeoff import Guardrail, SearchSpace, TradeOff
from ranker.feed_log.writing import write_day
from ranker.files import write_text
from ranker.tradeoff.arms import read_arms
from ranker.tradeoff.scored_rows import MOST_ROWS
from ranker.tradeoff.setting import Setting
from tests.pipeline.local.pushed_model import push

pytestmark = pytest.mark.slow

START = date(2026, 3, 2)
PARAMETERS = FeedParameters(20_000, 5, START)
TRADEOFF = TradeOff(
    maximize={"like": 1.0, "comment": 5.0},
    guardrails=(Guardrail("click", min_change=-0.5),),
    search=SearchSpace(alpha=(0.0, 1.0), weights={"like": 8.0}),
    min_viewers=30,
)
CONFIG = replace(FEED, tradeoff=TRADEOFF)

Run = Callable[..., int]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def run(state: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command of the experiment."""
    monkeypatch.setitem(pipeline_config.CONFIGS, "feed", CONFIG)

    def command(name: str, *options: object) -> int:
        return main([name, "--config", "feed", "--state", str(state), *map(str, options)])

    return command


def show(state: Path, log: Path, number: int, change: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None) -> date:
    """Ranks a day's sessions by their viewers' arms and the true probabilities, and logs them."""
    arms = client_arms.read_arms(state / "arms.json")
    batches: list[pa.RecordBatch] = []
    for candidates in Simulator(PARAMETERS).sessions(number):
        viewers = [arms.draw(viewer) for viewer in candidates.table["viewer_id"].to_pylist()]
        settings = [Setting(arm.alpha, arm.lambda_, dict(arm.weights)) for arm in viewers]
        coefficients = np.stack([setting.coefficients(CONFIG.objectives) for setting in settings], axis=1)
        truth = candidates.expectations().tastes_averaged_out
        order = candidates.best_first((coefficients * truth).sum(axis=0))
        shown = candidates.show(order).log
        drawn = [viewers[row] for row in order]
        shown = shown.append_column("arm", pa.array([arm.id for arm in drawn]))
        shown = shown.append_column("arm_propensity", pa.array([arm.share for arm in drawn], pa.float32()))
        batches.append(change(shown) if change else shown)
    day = START + timedelta(days=number)
    write_day(log, day, batches, overwrite=True)
    return day


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def column(name: str, values: Sequence[object]) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """A change of a log: a column with other values."""

    def change(batch: pa.RecordBatch) -> pa.RecordBatch:
        index = batch.schema.get_field_index(name)
        of = pa.array([values[row % len(values)] for row in range(batch.num_rows)], batch.schema.field(index).type)
        return batch.set_column(index, name, of)

    return change


def test_rounds_of_suggest_and_record_end_in_a_report(
    run: Run, state: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("suggest", "--arms", 2) == 0
    first = read_arms(state / "arms.json")
    assert (first.version, [arm.share for arm in first.groups[0].arms]) == (1, [0.5, 0.25, 0.25])
    current = first.groups[0].arms[0].setting
    assert (current.alpha, current.weights) == (FEED.utility.alpha, {"like": 1.0})

    show(state, log, 0)
    assert run("record", "--feed-log", log) == 0
    assert run("suggest", "--arms", 3) == 0
    second = read_arms(state / "arms.json")
    assert second.version == 2
    assert len(second.groups[0].arms) == 4
    assert second.experiment == first.experiment
    assert "to ship" in (out := capsys.readouterr().out) or "no setting is better" in out

    show(state, log, 1)
    assert run("record", "--feed-log", log, "--day", START + timedelta(days=1)) == 0
    assert run("report") == 0
    page = (state / "report.html").read_text()
    assert "click ≥ -50 % at 95 %" in page
    assert all(f">{version}, {number}<" in page for version, number in ((1, 2), (2, 0), (2, 3)))


def test_recorded_sums_are_those_of_the_log(run: Run, state: Path, log: Path) -> None:
    run("suggest", "--arms", 2)
    day = show(state, log, 0)
    assert run("record", "--feed-log", log) == 0
    table = pq.read_table(log / f"day-{day}").to_pandas()
    recorded = json.loads((state / "days" / f"day-{day}.json").read_text())
    assert [entry["arm"] for entry in recorded["arms"]] == sorted(table["arm"].unique())
    for entry in recorded["arms"]:
        of_arm = table[table["arm"] == entry["arm"]]
        assert entry["viewers"] == of_arm["viewer_id"].nunique()
        assert sum(entry["sessions"]) == of_arm["session_id"].nunique()
        for name, groups in zip(recorded["objectives"], entry["positives"], strict=True):
            assert sum(groups) == of_arm[name].sum()


def test_a_day_that_is_recorded_again_replaces_itself(run: Run, state: Path, log: Path) -> None:
    run("suggest")
    show(state, log, 0)
    assert run("record", "--feed-log", log) == 0
    before = files(state)
    assert run("record", "--feed-log", log) == 0
    assert files(state) == before


def test_the_day_before_the_newest_is_recorded_once_more(run: Run, state: Path, log: Path) -> None:
    def sessions(number: int) -> int:
        recorded = json.loads((state / "days" / f"day-{START + timedelta(days=number)}.json").read_text())
        return sum(sum(entry["sessions"]) for entry in recorded["arms"])

    run("suggest")
    show(state, log, 0, lambda batch: batch.slice(0, batch.num_rows // 2))
    assert run("record", "--feed-log", log) == 0
    half = sessions(0)
    show(state, log, 0)  # the day goes on, and the next one begins
    show(state, log, 1)
    assert run("record", "--feed-log", log) == 0
    assert sessions(0) > 1.8 * half
    assert sessions(1) > 0


def test_new_arms_wait_until_every_arm_has_its_viewers(
    run: Run, state: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("suggest")
    before = files(state)
    assert run("suggest") == 0
    assert "version 1 stays: arm 0 has 0 recorded viewers, and every arm needs 30" in capsys.readouterr().out
    assert files(state) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (column("arm", ["0123abcd.1.0-1"]), "arm '0123abcd.1.0-1' is not of this experiment"),
        (column("arm_propensity", [None]), "have an arm and no 'arm_propensity'"),
        (column("arm_propensity", [0.3]), "has propensity 0.3"),
        (column("arm", [None]), "have a value of 'arm_propensity' and no arm"),
        (lambda batch: batch.drop_columns(["arm"]), "no column 'arm'"),
        (lambda batch: batch.filter(one_session_per_arm(batch)), "no arm can be compared with arm 0"),
    ],
    ids=["another experiment", "no propensity", "wrong propensity", "no arm", "no column", "one session per arm"],
)
def test_what_cannot_be_recorded_gets_one_error_and_changes_nothing(
    change: Callable[[pa.RecordBatch], pa.RecordBatch],
    said: str,
    run: Run,
    state: Path,
    log: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("suggest")
    show(state, log, 0, change)
    before = files(state)
    capsys.readouterr()
    assert run("record", "--feed-log", log) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert files(state) == before


def one_session_per_arm(batch: pa.RecordBatch) -> pa.Array:
    table = batch.select(["arm", "session_id"]).to_pandas()
    kept = table.groupby("arm")["session_id"].transform("first")
    return pa.array(table["session_id"] == kept)


def test_a_viewer_with_two_arms_is_an_error(
    run: Run, state: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("suggest", "--arms", 1)
    show(state, log, 0, column("viewer_id", ["v"]))
    assert run("record", "--feed-log", log) == 2
    assert "1 viewers have several arms of a version" in capsys.readouterr().err


def test_an_experiment_about_something_else_is_refused(
    run: Run, state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("suggest")
    before = files(state)
    other = replace(CONFIG, tradeoff=replace(TRADEOFF, maximize={"reshare": 1.0}))
    monkeypatch.setitem(pipeline_config.CONFIGS, "feed", other)
    assert run("suggest") == 2
    assert "this experiment has another tradeoff.maximize than config feed" in capsys.readouterr().err
    assert files(state) == before


@pytest.mark.parametrize("command", [("record", "--feed-log", "log"), ("report",)], ids=lambda command: command[0])
def test_without_an_experiment_nothing_is_made(
    command: Sequence[str], run: Run, state: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_day(log, START, (shown.log for shown in Simulator(PARAMETERS).day(0)))
    options = [str(log) if option == "log" else option for option in command]
    assert run(*options) == 2
    assert "there is no such folder" in capsys.readouterr().err
    assert not state.exists()


@pytest.mark.parametrize("place", ["s3://bucket/experiment", "gs://bucket/experiment", "file:///experiment"])
@pytest.mark.parametrize("option", ["--state", "--output"])
def test_state_and_page_cannot_be_on_an_object_store(
    option: str,
    place: str,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        status = run("report", option, place)
    except SystemExit as end:
        status = int(end.code or 0)
    assert status == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert option in said
    assert said.endswith("it has to be a local path, not a URI")
    assert list(tmp_path.iterdir()) == []


def test_a_config_without_a_tradeoff_is_an_error(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(pipeline_config.CONFIGS, "feed", replace(CONFIG, tradeoff=None))
    assert run("suggest") == 2
    assert "it declares no tradeoff" in capsys.readouterr().err


def test_a_killed_suggest_is_completed_by_the_next_command(run: Run, state: Path, log: Path) -> None:
    run("suggest")
    written = (state / "arms.json").read_bytes()
    (state / "arms.json").unlink()  # killed after the version was written
    assert run("report") == 0
    assert (state / "arms.json").read_bytes() == written


def test_offline_estimates_of_a_scored_day(
    run: Run, state: Path, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(2):
        write_day(log, START + timedelta(days=number), (shown.log for shown in Simulator(PARAMETERS).day(number)))
    days = [START + timedelta(days=number) for number in range(2)]
    model = tmp_path / "model" / push(log, days[:1], days[1], CONFIG.objective_names, tmp_path / "model")
    assert run("suggest", "--feed-log", log, "--model", model, "--day", days[1]) == 0
    assert "cannot see what the model gets wrong" in capsys.readouterr().out.replace("\n", " ")
    with np.load(state / "offline.npz") as stored:
        # A sample of the day's sessions, and more of those in random order.
        assert 0.9 * MOST_ROWS < stored["probabilities"].shape[1] < 1.2 * MOST_ROWS
        assert "position" not in stored
    assert run("report") == 0
    assert "Pareto front" in (state / "report.html").read_text()
    assert run("suggest", "--feed-log", log) == 2
    assert "--feed-log and --model belong together" in capsys.readouterr().err


def test_nothing_is_shipped_that_was_not_measured(run: Run, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("suggest")
    before = files(state)
    capsys.readouterr()
    assert run("suggest", "--ship") == 0
    assert "no setting is better than arm 0 at a confidence of 95 %" in capsys.readouterr().out
    assert files(state) == before


@pytest.mark.parametrize("written", range(3))
def test_a_command_that_dies_between_two_files_leaves_a_state_that_works(
    written: int, run: Run, state: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = 0

    def dying(target: Path, text: str) -> None:
        nonlocal done
        if done == written:
            raise KeyboardInterrupt
        done += 1
        write_text(target, text)

    with monkeypatch.context() as dies:
        # The files of a first suggest: the experiment, the version, and the arms that serve.
        dies.setattr("ranker.tradeoff.state.write_text", dying)
        dies.setattr("ranker.tradeoff.arms.write_text", dying)
        with pytest.raises(KeyboardInterrupt):
            run("suggest")
    assert len([name for name in files(state) if name.endswith(".json")]) == written

    assert run("suggest") == 0
    assert read_arms(state / "arms.json") == read_arms(state / "arms" / "version-0001.json")
    show(state, log, 0)
    assert run("record", "--feed-log", log) == 0
    assert run("suggest") == 0
    assert read_arms(state / "arms.json").version == 2


def test_every_cohort_gets_arms_once_it_is_recorded(
    run: Run, state: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_device = replace(CONFIG, tradeoff=replace(TRADEOFF, by="device"))
    monkeypatch.setitem(pipeline_config.CONFIGS, "feed", by_device)
    assert run("suggest", "--arms", 1) == 0
    first = read_arms(state / "arms.json")
    assert [group.cohort for group in first.groups] == [None]
    assert first.by_input == "device"
    show(state, log, 0)
    assert run("record", "--feed-log", log) == 0
    assert run("suggest", "--arms", 1) == 0
    second = read_arms(state / "arms.json")
    devices = set(pq.read_table(log / f"day-{START}")["device"].to_pylist())
    assert {group.cohort for group in second.groups} == {None, *devices}
    assert run("report") == 0
    assert "groups of viewers have a better setting" in (state / "report.html").read_text()
