"""Small feed logs with the columns that real tables have."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DAYS = (date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3))
ROWS = 300


def odd_table(day: date, rows: int = ROWS) -> pa.Table:
    """Rows with names of any language, ids without a telling name, and columns that no model can read."""
    rng = np.random.default_rng(day.day)
    viewer = rng.integers(0, 40, rows)
    item = rng.integers(0, 60, rows)
    signal = rng.normal(size=rows)
    bought = rng.random(rows) < 1 / (1 + np.exp(1 - 2 * signal))
    at = datetime.combine(day, time(9), UTC)
    columns: dict[str, Any] = {
        "Kunden Nr.": viewer * 7 + 1000,
        "商品": [f"p{number}" for number in item],
        "gezeigt um": [at + timedelta(seconds=number) for number in range(rows)],
        "store_id": [None if number % 9 == 0 else float(number % 11) for number in range(rows)],
        "is premium": viewer % 3 == 0,
        "on sale": item % 4 == 0,
        "born": [date(1990, 1, 1) + timedelta(days=int(number)) for number in viewer],
        "price": [Decimal(int(number)) / 100 for number in rng.integers(1, 9999, rows)],
        "signal": signal,
        "constant": [5] * rows,
        "nothing": pa.nulls(rows),
        "nested": [{"a": 1}] * rows,
        "vector": [[float(number) for number in vector] for vector in rng.normal(size=(rows, 3))],
        "gaps": [None if number % 7 == 0 else [1.5, 2.5] for number in range(rows)],
        "tags": [["a", "b"][: number % 3] for number in range(rows)],
        "free text": [f"{day} {number}" for number in range(rows)],
        "Ort": _latin_1(("Köln", "Bonn", None)[number % 3] for number in viewer),
        "Orte": pa.ListArray.from_arrays(
            pa.array([None if number == 3 else number for number in range(rows + 1)], pa.int32()),
            _latin_1(("Köln", "Bonn")[number % 2] for number in item),
        ),
        "": np.arange(rows),
        "weight_Kaufe": rng.random(rows),
        "rank": np.arange(rows) % 5 + 1,
        "labels": rng.random(rows),
        "Käufe?": bought.astype(int),
        "Umsatz": np.where(bought, rng.random(rows), 0.0),
    }
    return pa.table(columns)


def _latin_1(texts: Iterable[str | None]) -> pa.Array:
    """Texts as some writers store them: the bytes are not UTF-8, and nothing says so."""
    return pa.array([None if text is None else text.encode("latin-1") for text in texts]).view(pa.string())


def write_log(root: Path, tables: dict[date, pa.Table]) -> Path:
    """Writes one file per day."""
    for day, table in tables.items():
        folder = root / f"day-{day}"
        folder.mkdir(parents=True)
        pq.write_table(table, folder / "part-0.parquet")
    return root
