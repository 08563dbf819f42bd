"""Trains and scores with the library alone: run it in an environment that `uv sync --no-default-groups` made.

    PYTHONPATH=. .venv-light/bin/python .ci/light.py

Prints the size of the environment and the seconds of each step; fails if anything of TFX is there.
"""

import importlib.util
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

ABSENT = ("tfx", "ml_metadata", "tensorflow_data_validation", "tensorflow_model_analysis", "kfp", "distributed")
DAYS, IMPRESSIONS_PER_DAY = 3, 1_000
TREES = 30


def main() -> None:
    """Checks, trains, scores, and says what it took."""
    there = [name for name in ABSENT if importlib.util.find_spec(name) is not None]
    if there:
        raise SystemExit(f"error: the library is to be tested without {', '.join(there)}")
    start = time.monotonic()
    import pyarrow.parquet as pq

    import ranker
    from datasets.synthetic import generate
    from pipeline_config import FIRST_PASS
    from ranker.config.forest import Forest
    from ranker.config.training import Training

    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "feed_log")
        *_, newest = generate(log, days=DAYS, impressions_per_day=IMPRESSIONS_PER_DAY, seed=1)
        config = replace(FIRST_PASS, forest=Forest(trees=TREES, depth=4), training=Training(epochs=1, batch_size=256))
        model = ranker.train(config, log, newest.day)
        trained = time.monotonic()
        rows = pq.read_table(log / f"day-{newest.day}")
        scores = model.score(rows)
        scored = time.monotonic()
    imported = [name for name in ABSENT if name in sys.modules]
    clicks = scores["click"].to_numpy()
    if imported or len(scores) != rows.num_rows or not (0 < clicks.min() < clicks.max() < 1):
        raise SystemExit(
            f"error: {imported=}, {len(scores)} scores of {rows.num_rows} rows, click {clicks.min()} to {clicks.max()}"
        )
    size = sum(file.lstat().st_size for file in Path(sys.prefix).rglob("*") if file.is_file()) / 1e9
    print(
        f"without TFX: {size:.1f} GB; trained on {(DAYS - 1) * IMPRESSIONS_PER_DAY:,} impressions in "
        f"{trained - start:.0f} s, imports included; scored {len(scores):,} in {scored - trained:.1f} s"
    )


if __name__ == "__main__":
    main()
