"""Dense embeddings."""

from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Units
from ranker.config.kinds.column import FeatureColumn


@dataclass(frozen=True, config=CHECKED)
class DenseEmbedding(FeatureColumn):
    """A column with a fixed-size float vector per impression (text, image, …); it goes to the towers directly.

    Attributes:
        size: numbers of the vector.
        forest: whether the forest reads the numbers too, each as an input of its own. A tree splits on one of them at a
            time, so this helps if single numbers mean something. Growing a tree takes longer with every input.

    Example:
        >>> DenseEmbedding("picture", size=2, forest=True).forest_names
        ('picture.0', 'picture.1')
    """

    size: Units
    forest: bool = False

    @property
    def forest_names(self) -> tuple[str, ...]:
        """One input per number if the forest reads them, otherwise none."""
        return tuple(f"{self.name}.{number}" for number in range(self.size)) if self.forest else ()

    @property
    def embedding_size(self) -> int:
        """The vector."""
        return self.size

    @property
    def vector_size(self) -> int:
        """The vector, which the towers read as it is."""
        return self.size
