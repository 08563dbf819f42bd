"""The tiny feed with exposure: positions, slots, and sessions of which some had a random order."""

from dataclasses import replace
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.columns import Exposure
from ranker.config.documents import to_json
from ranker.config.examination import Examination
from tests.ranker.export.feed import CURATED, FEATURES, Row, imported, transform_graph

EXPOSED = replace(FEATURES, exposure=(Exposure("shown-at", default=1.0), Exposure("slot", default="main")))
EXAMINATION = Examination(by=("device",))
_ADDED = """
feature { name: "shown-at" type: FLOAT value_count { min: 1 max: 1 } }
feature { name: "slot" type: BYTES value_count { min: 1 max: 1 } }
feature { name: "session_id" type: BYTES value_count { min: 1 max: 1 } }
feature { name: "is_randomised" type: INT value_count { min: 1 max: 1 } }
"""


def exposed_schema() -> schema_pb2.Schema:
    """The schema with the columns of exposure and exploration, as SchemaImporter writes it."""
    curated = schema_pb2.Schema()
    curated.CopyFrom(CURATED)
    text_format.Merge(_ADDED, curated)
    return imported(curated, EXPOSED)


def exposed_rows(rows: list[Row]) -> list[Row]:
    """The rows with exposure, which some lack, ten to a session."""
    return [_exposed_row(i, row) for i, row in enumerate(rows)]


def exposed_graph(folder: Path, rows: list[Row]) -> Path:
    """Writes the graph and the transformed rows, as `transform_graph` does."""
    return transform_graph(
        folder,
        # TFT's row encoder supports no default for a dense column.
        [{**row, "shown-at": row["shown-at"] or [float("nan")]} for row in rows],
        EXPOSED,
        exposed_schema(),
        {"examination": to_json(EXAMINATION), "randomised": "is_randomised"},
    )


def _exposed_row(i: int, row: Row) -> Row:
    shown, slot = float(1 + i % 7), [b"main", b"rail"][i % 2]
    return {
        **row,
        "shown-at": [] if i % 5 == 0 else [shown],
        "slot": [] if i % 11 == 0 else [slot],
        "session_id": [f"s{i // 10}".encode()],
        "is_randomised": [int(i // 10 % 3 == 0)],
    }
