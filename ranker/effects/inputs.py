"""What the regressions of effects read of an impression, in the terms of Transform's outputs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker import keys
from ranker.config.columns import Features
from ranker.config.effects import Effects
from ranker.effects.state import Basis
from ranker.features.vocabularies import read_vocabulary


@dataclass(frozen=True)
class InputLayout:
    """Where the inputs of each level are among all inputs of a row.

    Attributes:
        widths: feature → number of inputs that it becomes, in the order of a row's inputs.
        of_level: of each level, the indices of its inputs; the intercept is not among them.
    """

    widths: Mapping[str, int]
    of_level: tuple[tuple[int, ...], ...]

    @property
    def width(self) -> int:
        """Number of inputs of a row."""
        return sum(self.widths.values())


def input_layout(effects: Effects, features: Features) -> InputLayout:
    """The layout for a config.

    Example:
        >>> features = Features(numeric=("age",), dense=(DenseEmbedding("text", 32),))
        >>> effects = Effects((EffectLevel("viewer_id"), EffectLevel("item_id", ("text",))), components=4)
        >>> input_layout(effects, features).of_level
        ((), (0, 1, 2, 3))
    """
    sizes = features.embeddings
    used = dict.fromkeys(name for level in effects.levels for name in level.inputs)
    widths = {name: min(effects.components, sizes[name]) if name in sizes else effects.categories for name in used}
    ends = np.cumsum([0, *widths.values()]).tolist()
    first = dict(zip(widths, ends, strict=False))
    of_level = tuple(
        tuple(first[name] + i for name in level.inputs for i in range(widths[name])) for level in effects.levels
    )
    return InputLayout(widths, of_level)


def principal_components(rows: NDArray[np.float32], count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean of vectors [rows, size], and components [size, count] that give them variance 1 in every dimension.

    A dimension in which the vectors do not vary becomes 0.
    """
    mean = rows.mean(axis=0, dtype=np.float64)
    away = rows - mean
    variances, vectors = np.linalg.eigh(away.T @ away / max(len(rows), 1))
    largest = np.argsort(variances)[::-1][:count]
    vectors, variances = vectors[:, largest], variances[largest]
    # The sign of an eigenvector is arbitrary: its largest number is positive here.
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(largest))])
    varies = variances > 1e-9 * max(float(variances.max(initial=0.0)), 1e-30)
    scale = np.where(varies, 1 / np.sqrt(np.where(varies, variances, 1.0)), 0.0)
    return mean.astype(np.float32), (vectors * scale).astype(np.float32)


def frequent_values(graph: str, feature: str, count: int) -> tuple[bytes, ...]:
    """The most frequent values of a categorical feature in a Transform graph, at most `count`."""
    return read_vocabulary(graph, feature)[:count]


class EffectInputs(tf.Module):
    """Transform's outputs → the inputs of the regressions.

    Its numbers are variables, which are zero until they are set: a model is exported before its effects are fitted.

    Args:
        effects: the config's.
        features: the config's columns.

    Attributes:
        layout: where the inputs of each level are.
        origins, matrices: of every feature in the layout, what is subtracted from its vector, and what this is
            multiplied by; the vector of a categorical feature is the row of its code.
    """

    def __init__(self, effects: Effects, features: Features) -> None:
        super().__init__(name="effect_inputs")
        self.layout = input_layout(effects, features)
        sizes = features.embeddings
        self._code_at = {column.name: number for number, column in enumerate(features.coded)}
        codes = {column.name: column.codes for column in features.coded}
        self.origins, self.matrices = [], []
        for number, (name, width) in enumerate(self.layout.widths.items()):
            rows = sizes[name] if name in sizes else codes[name]
            self.origins.append(tf.Variable(tf.zeros([rows]), trainable=False, name=f"origin_{number}"))
            self.matrices.append(tf.Variable(tf.zeros([rows, width]), trainable=False, name=f"matrix_{number}"))

    def __call__(self, batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Transform's outputs, float32 [batch, size] and `keys.CATEGORICAL` → float32 [batch, inputs]."""
        parts = []
        for name, origin, matrix in zip(self.layout.widths, self.origins, self.matrices, strict=True):
            if name in self._code_at:
                parts.append(tf.gather(matrix, batch[keys.CATEGORICAL][:, self._code_at[name]]))
            else:
                parts.append((batch[name] - origin) @ matrix)
        return tf.concat(parts, axis=1)

    def numbers(self, basis: Basis, graph: str) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """The values of origin and matrix of every feature.

        Args:
            basis: what the inputs are.
            graph: folder of the Transform graph whose outputs are read; a value has another code in another graph.
        """
        found = []
        for name, origin, matrix in zip(self.layout.widths, self.origins, self.matrices, strict=True):
            if name in basis.projections:
                found.append(basis.projections[name])
                continue
            indicators = np.zeros(matrix.shape, np.float32)
            code = {value: number for number, value in enumerate(read_vocabulary(graph, name))}
            for column, value in enumerate(basis.categories[name]):
                if value in code:
                    indicators[code[value], column] = 1.0
            found.append((np.zeros(origin.shape, np.float32), indicators))
        return found

    def assign(self, basis: Basis, graph: str) -> None:
        """Sets the variables; the arguments are those of `numbers`."""
        for variables, values in zip(
            zip(self.origins, self.matrices, strict=True), self.numbers(basis, graph), strict=True
        ):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
