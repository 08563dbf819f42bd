"""A foreign log, its own column names, two objectives: only pipeline_config.py is edited, and a model is pushed."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.end_to_end.conftest import ROOT, FinishedRun, run_locally
from tests.processes import run_python

pytestmark = pytest.mark.slow

SETTINGS = """

SHOP = PipelineConfig(
    name="shop",
    keys=Keys(session="visit", viewer="customer", item="product", timestamp="shown_at"),
    objectives=(Objective("opened", tower="passive"), Objective("bought", tower="active", utility_weight=20.0)),
    features=Features(
        numeric=("price", "margin"),
        categorical=(Categorical("department"),),
        dense=(DenseEmbedding("picture", size=4),),
    ),
    slices=(("department",),),
    schema="schemas/shop.pbtxt",
    train_days=3,
    forest=Forest(trees=40, depth=3),
    training=Training(batch_size=256),
)
CONFIGS["shop"] = SHOP
"""


@pytest.fixture(scope="module")
def foreign_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four days of a shop's front page, with integer ids and gaps."""
    root = tmp_path_factory.mktemp("shop_log")
    random = np.random.default_rng(5)
    for day in range(4):
        folder = root / f"day-{date(2026, 5, 1) + timedelta(days=day)}"
        folder.mkdir()
        rows = 3_000
        price = random.lognormal(3, 1, rows)
        department = random.choice(["books", "garden", "toys"], rows)
        picture = random.normal(size=(rows, 4)).astype(np.float32)
        logit = -1.0 - 0.5 * (np.log(price) - 3) + picture[:, 0] + (department == "toys")
        opened = random.random(rows) < 1 / (1 + np.exp(-logit))
        bought = random.random(rows) < 0.3 / (1 + np.exp(-logit))
        table = pa.table(
            {
                "visit": pa.array(np.arange(rows) // 8),
                "customer": pa.array(random.integers(0, 400, rows)),
                "product": pa.array(random.integers(0, 900, rows)),
                "shown_at": pa.array(np.full(rows, day, "datetime64[ms]")),
                "price": pa.array(price, mask=random.random(rows) < 0.05),
                "margin": pa.array(random.integers(-5, 50, rows)),
                "department": pa.array(department),
                "picture": pa.FixedSizeListArray.from_arrays(pa.array(picture.ravel()), 4),
                "opened": pa.array(opened),
                "bought": pa.array(bought.astype(np.int8)),
                "seconds_on_page": pa.array(opened * random.exponential(30, rows)),
            }
        )
        pq.write_table(table, folder / "part-0.parquet")
    return root


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, foreign_log: Path) -> Path:
    """A copy of this project with the shop's config added and its schema inferred."""
    copy = tmp_path_factory.mktemp("project")
    for folder in ("components", "datasets", "pipeline", "ranker", "schemas"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "local_runner.py", copy)
    imports = "from pipeline.config import ("
    settings = (ROOT / "pipeline_config.py").read_text().replace(imports, f"{imports}Forest, Keys, Training, ", 1)
    (copy / "pipeline_config.py").write_text(settings + SETTINGS)
    infer = run_python(["-m", "pipeline.infer_schema", "--config", "shop", "--feed-log", str(foreign_log)], copy)
    assert infer.status == 0, infer.output
    return copy


@pytest.fixture(scope="module")
def shop_workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop_workdir")


@pytest.fixture(scope="module")
def run(project: Path, foreign_log: Path, shop_workdir: Path) -> FinishedRun:
    return run_locally(shop_workdir, "--config", "shop", "--feed-log", str(foreign_log), root=project)


def test_the_foreign_log_ends_in_a_pushed_model(run: FinishedRun) -> None:
    assert run.status == 0, run.output
    assert (Path(run.summary["pushed_model"]) / "saved_model.pb").is_file()
    assert run.summary["rows"] == {"train": 9_000, "eval": 3_000}
    assert run.summary["day"] == "2026-05-04"
    assert set(run.summary["objectives"]) == {"opened", "bought"}
    assert run.summary["objectives"]["opened"]["auc"] > 0.7
    assert run.summary["objectives"]["bought"]["auc"] > 0.6


def test_a_model_that_no_gate_lets_through_is_reported_and_not_pushed(
    project: Path, foreign_log: Path, shop_workdir: Path, run: FinishedRun
) -> None:
    settings = project / "pipeline_config.py"
    right = settings.read_text()
    strict = "train_days=3,\n    gates=Gates(objective=Gate(min_auc=0.999)),"
    settings.write_text(right.replace("train_days=3,", strict).replace("import (", "import (Gate, Gates, ", 1))
    refused = run_locally(shop_workdir, "--config", "shop", "--feed-log", str(foreign_log), root=project)
    settings.write_text(right)
    assert refused.status == 3, refused.output
    assert refused.summary["blessed"] is False
    assert refused.summary["pushed_model"] is None
    [said] = [v["text"] for v in refused.summary["gates"] if v["objective"] == "opened" and v["metric"] == "auc"]
    assert f"gate: {said}" in refused.output
    report = Path(refused.summary["report"]).read_text()
    assert "Not blessed: 2 gates failed" in report
    assert said in report
    assert [path.name for path in (shop_workdir / "serving_model").iterdir()] == [
        Path(run.summary["pushed_model"]).name
    ]


def test_a_column_that_the_log_lacks_is_named(project: Path, foreign_log: Path, tmp_path: Path) -> None:
    settings = project / "pipeline_config.py"
    right = settings.read_text()
    settings.write_text(right.replace('"margin"', '"margn"'))
    failed = run_locally(tmp_path / "w", "--config", "shop", "--feed-log", str(foreign_log), root=project)
    settings.write_text(right)
    assert failed.status == 1
    [line] = [line for line in failed.output.splitlines() if "failed:" in line]
    assert "margn" in line
    assert "margin" in line
    assert failed.summary["failure"]["component"] == "FeedLogGen"
    assert failed.summary["pushed_model"] is None
