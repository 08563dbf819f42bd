import hashlib
from pathlib import Path

import pytest
from tfx.types import standard_artifacts
from tfx.utils import io_utils

from components.schema_importer.component import SchemaImporter
from components.schema_importer.executor import PROJECT_ROOT, Executor
from pipeline_config import FEED
from ranker.config.documents import to_json
from ranker.feed_log.columns import columns_of
from ranker.identity.code import code_fingerprint

SCHEMA = "schemas/feed.pbtxt"
COLUMNS = columns_of(FEED.objective_names, FEED.features, FEED.keys)


def test_the_parameters_hold_no_path_of_this_machine() -> None:
    properties = SchemaImporter(SCHEMA, COLUMNS).exec_properties
    digest = hashlib.sha256((PROJECT_ROOT / SCHEMA).read_bytes()).hexdigest()
    assert properties == {
        "schema_file": SCHEMA,
        "content_fingerprint": digest[:16],
        "columns": to_json(COLUMNS),
        "code_fingerprint": code_fingerprint("components.schema_importer.executor"),
    }


def test_the_error_of_a_missing_schema_says_how_to_infer_one() -> None:
    with pytest.raises(FileNotFoundError, match=r"schemas/no.pbtxt: there is no such schema.*infer_schema"):
        SchemaImporter("schemas/no.pbtxt", COLUMNS)


def test_the_schema_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    schema = standard_artifacts.Schema()
    schema.uri = str(tmp_path / "schema")
    (tmp_path / "schema").mkdir()
    Executor().Do({}, {"schema": [schema]}, SchemaImporter(SCHEMA, COLUMNS).exec_properties)
    written = io_utils.SchemaReader().read(str(tmp_path / "schema" / "schema.pbtxt"))
    curated = io_utils.SchemaReader().read(str(PROJECT_ROOT / SCHEMA))
    assert list(written.feature) == list(curated.feature)
    assert set(written.tensor_representation_group[""].tensor_representation) == {f.name for f in curated.feature}
