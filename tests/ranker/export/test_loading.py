"""What is said of a model that cannot be loaded."""

import pytest
from pydantic import ValidationError

from ranker.config.documents import from_json
from ranker.config.forest import Forest
from ranker.export.loading import load_problem


def test_a_config_of_another_version_is_one_sentence() -> None:
    with pytest.raises(ValidationError) as error:
        from_json(Forest, '{"trees": -1, "shape": "round"}')
    assert load_problem(error.value) == (
        "its settings are of another version of this project: trees: Input should be greater than or equal to 0"
    )
