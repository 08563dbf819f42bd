"""How tests share two processes and two cores, and one S3 server."""

import gc
import logging
import os
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from tests.object_store import ObjectStore
    from tests.ranker.trained import Trained

# Files that look at the results of one expensive fixture of the session go to the same process.
_TOGETHER = {
    "tests/end_to_end/test_parity.py": "tests/end_to_end/test_local_run.py",
    "tests/end_to_end/test_job_service.py": "tests/end_to_end/test_local_run.py",
    "tests/end_to_end/test_oldest_serving.py": "tests/end_to_end/test_local_run.py",
    "tests/research/tastes/test_main.py": "tests/research/forest_share/test_main.py",
    # All of these use the fixture `trained`.
    "tests/benchmarks/test_batch_scoring.py": "tests/ranker/scoring/test_model.py",
    "tests/pipeline/test_compare.py": "tests/ranker/scoring/test_model.py",
    "tests/ranker/explanation/test_explainer.py": "tests/ranker/scoring/test_model.py",
    "tests/ranker/explanation/test_impressions.py": "tests/ranker/scoring/test_model.py",
    "tests/ranker/scoring/test_beam.py": "tests/ranker/scoring/test_model.py",
    "tests/ranker/scoring/test_files.py": "tests/ranker/scoring/test_model.py",
}

_PACKAGES = ("components", "datasets", "feed_ranker_client", "pipeline", "ranker", "serving")


class OneProcessPerFile(LoadScopeScheduling):  # type: ignore[misc]
    """xdist's `loadfile` for groups of files: what shares fixtures runs in one process, which makes them once."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid.partition("::")[0])


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds what tests need that no machine has by itself."""
    parser.addoption(
        "--job-endpoint",
        metavar="HOST:PORT",
        help="a Beam job service of Flink or Spark on this machine, to run the complete pipeline on as well",
    )


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneProcessPerFile:
    """Replaces the scheduler that `--dist` names."""
    return OneProcessPerFile(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """One OpenMP thread per process where several processes run tests, and in what they start.

    XGBoost would otherwise start a thread per core in every process, and its threads wait for each other in busy loops.
    The variable counts only before the library is loaded.
    """
    if os.environ.get("PYTEST_XDIST_WORKER"):
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files with slow tests start first, or a long one could start when the other process has nothing left to do."""
    gone = [file for file in {*_TOGETHER, *_TOGETHER.values()} if not (config.rootpath / file).exists()]
    assert not gone, f"tests/conftest.py names files that are not there: {gone}"
    slow = {_group(item.location[0]) for item in items if item.get_closest_marker("slow")}
    order = {group: i for i, group in enumerate(dict.fromkeys(_group(item.location[0]) for item in items))}
    items.sort(key=lambda item: (_group(item.location[0]) not in slow, order[_group(item.location[0])]))


def pytest_collection_finish() -> None:
    """What was imported lives as long as the process, so that no collection of garbage need go through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> "Trained":
    """One small model of every kind of column, for all tests that need a trained one; it takes about ten seconds."""
    from tests.ranker.trained import train_small  # imports TensorFlow

    return train_small(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="session")
def object_store() -> Iterator["ObjectStore"]:
    """An S3 server over HTTP."""
    from tests.object_store import serving_s3  # importing moto takes a second, and few tests need it

    with serving_s3() as store:
        yield store


@pytest.fixture
def bucket(object_store: "ObjectStore") -> str:
    """The name of an empty bucket of the S3 server."""
    return object_store.make_bucket(f"bucket-{uuid.uuid4().hex[:12]}")


@pytest.fixture(autouse=True)
def _log_levels() -> Iterator[None]:
    """Fails a test that leaves other log levels behind; without this, a later test of a warning would fail."""
    before = _ours()
    yield
    changed = {name: level for name, level in _ours().items() if level != before.get(name, logging.NOTSET)}
    assert not changed, f"the levels of these loggers were not restored: {changed}"


def _ours() -> dict[str, int]:
    """The levels of our loggers by name; `""` is the level below which nothing is logged at all."""
    known = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in _PACKAGES]
    return {"": logging.root.manager.disable, **{name: logging.getLogger(name).level for name in known}}


def _group(file: str) -> str:
    return _TOGETHER.get(file, file)
