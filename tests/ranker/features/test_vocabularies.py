"""The vocabularies' file, and ranks looked up in it by a saved graph."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform import impl_helper

from ranker.features.vocabularies import (
    NO_RANK,
    VOCABULARIES,
    Vocabularies,
    read_vocabularies,
    read_vocabulary,
    tracked_table,
    vocabulary_table,
    write_vocabularies,
)

# The values look like keys of other columns, and a column's name like a number.
VALUES = {
    "device": (b"ios", b"1=ios", b"=device", b"a=b=c"),
    "1": (b"ios", b"", "münchen 東京".encode()),
    "none": (),
    "bytes": (b"\xff\xfe", b"\x00", b" ios ", b"\t"),
}
COLUMNS = tuple(VALUES)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Transform graph: `values` [batch, columns] → `ranks`, and those of the first column's values as a list."""
    folder = tmp_path_factory.mktemp("vocabularies")
    file = str(folder / VOCABULARIES)
    write_vocabularies(VALUES, file)

    def preprocessing_fn(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        vocabularies = Vocabularies(VALUES, lambda: tracked_table(file))
        values = inputs["values"]
        owners = tf.range(len(COLUMNS))[tf.newaxis, :] + tf.zeros_like(values, tf.int32, name="owners")
        listed = vocabularies.ranks(tf.reshape(values, [-1]), COLUMNS, tf.reshape(owners, [-1]))
        return {"ranks": vocabularies.ranks(values, COLUMNS), "listed": tf.reshape(listed, [-1, len(COLUMNS)])}

    specs = {"values": tf.TensorSpec([None, len(COLUMNS)], tf.string)}
    impl_helper.analyze_in_place(preprocessing_fn, False, {}, specs, str(folder / "graph"))
    return str(folder / "graph")


def ranks(graph: str, value: bytes) -> list[int]:
    """The rank of a value in each column."""
    layer = tft.TFTransformOutput(graph).transform_features_layer()
    outputs = layer({"values": tf.constant([[value] * len(COLUMNS)])})
    np.testing.assert_array_equal(outputs["ranks"], outputs["listed"])
    return outputs["ranks"].numpy()[0].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMNS)
def test_a_value_has_its_rank_in_its_own_column(graph: str, column: str) -> None:
    for rank, value in enumerate(VALUES[column]):
        expected = [values.index(value) if value in values else NO_RANK for values in VALUES.values()]
        assert expected[COLUMNS.index(column)] == rank
        assert ranks(graph, value) == expected


@pytest.mark.parametrize("value", [b"", b"iOS", b"0=ios", b"2=", b"=1", b"=none", b"ios\n", b"device", b"0"])
def test_other_values_have_no_rank(graph: str, value: bytes) -> None:
    assert ranks(graph, value) == [values.index(value) if value in values else NO_RANK for values in VALUES.values()]


def test_the_values_of_a_column_are_read_back(graph: str) -> None:
    assert {column: read_vocabulary(graph, column) for column in COLUMNS} == VALUES
    assert read_vocabularies(graph) == VALUES
    with pytest.raises(ValueError, match="vocabularies: 'devic' is not one of device, 1, none, bytes"):
        read_vocabulary(graph, "devic")


def test_a_graph_without_columns_of_strings_has_no_file(tmp_path: Path) -> None:
    assert read_vocabularies(str(tmp_path)) == {}


def test_tfts_own_reader_finds_the_file(graph: str) -> None:
    lines = tft.TFTransformOutput(graph).vocabulary_by_name(VOCABULARIES)
    assert lines[:6] == [b"=device", b"=1", b"=none", b"=bytes", b"0=ios", b"0=1=ios"]


def test_the_code_of_other_values_follows_the_last_rank() -> None:
    np.testing.assert_array_equal(
        Vocabularies(VALUES, lambda: vocabulary_table("")).rest(["none", "bytes", "device"]), [1, 4, 4]
    )


def test_columns_without_any_value_can_be_looked_up(tmp_path: Path) -> None:
    file = str(tmp_path / VOCABULARIES)
    write_vocabularies({"a": (), "b": ()}, file)
    table = vocabulary_table(file)
    np.testing.assert_array_equal(table.lookup(tf.constant([b"0=", b"1=x", b"x"])), [NO_RANK] * 3)
