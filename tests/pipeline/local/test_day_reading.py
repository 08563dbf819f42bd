"""A model that cannot be loaded is an error in one sentence."""

from pathlib import Path

import pytest
import tensorflow as tf

from pipeline.local.day_reading import ModelError, model_scorer
from pipeline_config import CONFIGS


class Doubler(tf.Module):
    """A model with one variable and another signature."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def double(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": self.factor * x}


@pytest.mark.parametrize(
    "damage", ["no folder", "empty folder", "empty graph", "cut graph", "no variables", "other model"]
)
def test_a_model_that_was_copied_in_part_is_named(damage: str, tmp_path: Path) -> None:
    model = tmp_path / "17"
    if damage != "no folder":
        model.mkdir()
    if damage in ("empty graph", "cut graph", "no variables", "other model"):
        module = Doubler()
        tf.saved_model.save(module, str(model), signatures={"double": module.double})
        graph = model / "saved_model.pb"
        if damage == "empty graph":
            graph.write_bytes(b"")
        if damage == "cut graph":
            graph.write_bytes(graph.read_bytes()[:100])
        if damage == "no variables":
            for file in (model / "variables").iterdir():
                file.unlink()
    with pytest.raises(ModelError, match=r"17: it cannot be loaded: \S") as error:
        model_scorer(CONFIGS["feed"], model)
    assert len(str(error.value).splitlines()) == 1
