"""Names of signature inputs."""

import pytest

from ranker.export.names import input_name, input_names


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("votes", "votes"),
        ("UserAge", "UserAge"),
        ("hours-old", "hours_old"),
        ("a.b", "a_b"),
        ("7days", "f_7days"),
        ("_hidden", "f__hidden"),
        ("class", "class_"),
        ("größe", "gr__e"),
    ],
)
def test_a_column_keeps_its_name_where_it_can(column: str, name: str) -> None:
    assert input_name(column) == name


@pytest.mark.parametrize("columns", [("user-id", "user_id"), ("User", "user")])
def test_two_columns_must_not_share_a_name(columns: tuple[str, str]) -> None:
    with pytest.raises(
        ValueError, match=f"the column '{columns[1]}' would be .* clashes with the column '{columns[0]}'"
    ):
        input_names(columns)


@pytest.mark.parametrize("column", ["alpha", "lambda", "Lambda_"])
def test_inputs_of_rank_are_taken(column: str) -> None:
    with pytest.raises(ValueError, match="the signature's own input"):
        input_names([column])
