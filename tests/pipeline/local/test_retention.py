"""The artifacts that are kept after real runs of a small pipeline."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata

from pipeline.local.dag_runner import State
from pipeline.local.retention import remove_old_artifacts, remove_unregistered_artifacts
from tests.pipeline.local.test_dag_runner import run, states


def connection(folder: Path) -> metadata_store_pb2.ConnectionConfig:
    return metadata.sqlite_metadata_connection_config(str(folder / "metadata.sqlite"))


def tidy(folder: Path, keep: int) -> int:
    return remove_old_artifacts(connection(folder), folder / "artifacts", keep)


def folders(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder / "artifacts")) for path in (folder / "artifacts").glob("Write/out/*"))


@pytest.fixture
def three_runs(tmp_path: Path) -> Path:
    """Three runs of two components each; the executions are numbered from 1."""
    for text in ("one", "two", "three"):
        run(tmp_path, text)
    assert folders(tmp_path) == ["Write/out/1", "Write/out/3", "Write/out/5"]
    return tmp_path


def test_the_newest_runs_artifacts_stay(three_runs: Path) -> None:
    assert tidy(three_runs, keep=2) > 0
    assert folders(three_runs) == ["Write/out/3", "Write/out/5"]
    assert tidy(three_runs, keep=2) == 0
    systems = (three_runs / "artifacts").glob("*/.system/executor_execution/*")
    assert sorted(path.name for path in systems) == ["3", "4", "5", "6"]
    _, again = run(three_runs, "two")
    assert states(again) == [("Write", State.CACHED), ("Check", State.CACHED)]


def test_clocks_that_are_put_back_make_no_run_an_old_one(three_runs: Path) -> None:
    with sqlite3.connect(three_runs / "metadata.sqlite") as database:
        newest = "select max(c.id) from Context c join Type t on t.id = c.type_id where t.name = 'pipeline_run'"
        database.execute(f"update Context set create_time_since_epoch = 1 where id = ({newest})")
    tidy(three_runs, keep=1)
    _, again = run(three_runs, "three")
    assert states(again) == [("Write", State.CACHED), ("Check", State.CACHED)]


def test_removed_artifacts_are_computed_again_and_not_taken_from_the_cache(three_runs: Path) -> None:
    tidy(three_runs, keep=1)
    _, again = run(three_runs, "one")
    assert states(again) == [("Write", State.RAN), ("Check", State.RAN)]
    assert Path(again[0].outputs["out"][0].uri).read_text() == "one"


def test_an_old_artifact_that_a_new_run_took_from_the_cache_stays(three_runs: Path) -> None:
    run(three_runs, "one")
    tidy(three_runs, keep=1)
    assert folders(three_runs) == ["Write/out/1"]


def test_leftovers_of_a_stopped_run_are_removed_with_it(three_runs: Path) -> None:
    (three_runs / "artifacts" / "Write" / "out" / "2").mkdir()
    (three_runs / "artifacts" / "Write" / "out" / "99").mkdir()
    tidy(three_runs, keep=1)
    # 99 is newer than all runs, so it may belong to a run that is not registered yet.
    assert folders(three_runs) == ["Write/out/5", "Write/out/99"]


def test_a_folder_that_is_a_link_is_removed_and_its_target_stays(three_runs: Path) -> None:
    oldest, elsewhere = three_runs / "artifacts" / "Write" / "out" / "1", three_runs / "elsewhere"
    oldest.rename(elsewhere)
    oldest.symlink_to(elsewhere)
    tidy(three_runs, keep=1)
    assert folders(three_runs) == ["Write/out/5"]
    assert elsewhere.exists()


def test_without_their_metadata_artifacts_are_removed_before_a_run(three_runs: Path) -> None:
    database, older = three_runs / "metadata.sqlite", three_runs / "older.sqlite"
    assert remove_unregistered_artifacts(connection(three_runs), three_runs / "artifacts") == 0
    shutil.copy(database, older)
    run(three_runs, "four")
    shutil.move(older, database)  # somebody puts a backup back
    assert remove_unregistered_artifacts(connection(three_runs), three_runs / "artifacts") > 0
    assert folders(three_runs) == ["Write/out/1", "Write/out/3", "Write/out/5"]
    database.unlink()
    assert remove_unregistered_artifacts(connection(three_runs), three_runs / "artifacts") > 0
    assert folders(three_runs) == []
    assert states(run(three_runs, "four")[1]) == [("Write", State.RAN), ("Check", State.RAN)]
    assert remove_unregistered_artifacts(connection(three_runs), three_runs / "nowhere") == 0


def test_with_few_runs_all_artifacts_are_kept(three_runs: Path) -> None:
    assert tidy(three_runs, keep=3) == 0
    assert len(folders(three_runs)) == 3
