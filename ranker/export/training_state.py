"""The training state in a pushed model, so that a later training can continue from it.

Leaf ids depend on the forest and on the Transform graph, whose vocabularies and moments feed both the forest and the
towers. So all three are stored together, in a folder that TensorFlow Serving ignores.
"""

import os
from dataclasses import dataclass

import tensorflow as tf

from ranker.registry.layout import FOREST, TOWER_STATE, TRANSFORM_GRAPH
from ranker.towers.examination import ExaminationModel
from ranker.towers.state import TowerState


@dataclass(frozen=True, eq=False)
class TrainingState:
    """The state that a later training continues from.

    Attributes:
        forest: folder of the forest inside the model's graph, with its training curve.
        transform_graph: folder of the Transform graph inside the model's graph.
        towers: the weights.
        examination: the examination model, if there is one.
    """

    forest: str
    transform_graph: str
    towers: TowerState
    examination: ExaminationModel | None = None

    def save(self, folder: str) -> None:
        """Writes the state into `folder`, a path or a URI that TensorFlow can write to."""
        _copy(self.forest, os.path.join(folder, FOREST))
        _copy(self.transform_graph, os.path.join(folder, TRANSFORM_GRAPH))
        self.towers.save(os.path.join(folder, TOWER_STATE))
        if self.examination is not None:
            self.examination.save(os.path.join(folder, TOWER_STATE))


def _copy(source: str, target: str) -> None:
    tf.io.gfile.makedirs(target)
    for name in tf.io.gfile.listdir(source):
        name = name.rstrip("/")
        here, there = os.path.join(source, name), os.path.join(target, name)
        if tf.io.gfile.isdir(here):
            _copy(here, there)
        else:
            tf.io.gfile.copy(here, there, overwrite=True)
