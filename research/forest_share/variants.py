"""The variants of a config that are compared, and how each is trained on the same rows."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from ranker.config.documents import to_json
from ranker.config.forest import Forest as ForestConfig
from ranker.config.pipeline import PipelineConfig
from ranker.files import atomic_folder
from ranker.forest.model import Forest
from ranker.forest.traverse import Traversal
from ranker.identity.code import code_fingerprint
from research.forest_share.inputs import forest_rows, narrowed, with_inputs
from research.forest_share.names import INPUTS, NOTHING, SHARES
from research.quality.encoded import grown_forest
from research.quality.models import ComparedModel
from research.quality.networks import blended
from research.quality.rows import HeldOutDay, Probabilities
from research.quality.towers import Leaves, tower_logits

_CODE = ("ranker.forest", "ranker.towers", "research.forest_share.variants")


@dataclass(frozen=True)
class Variant:
    """A variant of a config.

    Attributes:
        share: of the config's trees, from 0 to 1.
        inputs: one of `INPUTS`.
    """

    share: float
    inputs: str

    @property
    def trees(self) -> str:
        """The share in words.

        Example:
            >>> Variant(0.25, "ids").trees
            '1/4'
        """
        return str(Fraction(self.share).limit_denominator(1000))

    @property
    def name(self) -> str:
        """Share and inputs, without spaces."""
        return f"trees-{self.share:g}-{self.inputs}"

    def config(self, config: PipelineConfig) -> PipelineConfig:
        """The variant of a config.

        The trees are rounded to the same number per objective. Without trees, nothing is taken from the forest's
        predictions.
        """
        own, objectives = with_inputs(config, self.inputs), len(config.objectives)
        if not self.share:
            forest = replace(config.forest, trees=0)
            towers, training = replace(config.towers, forest_share=0.0), replace(config.training, distillation=0.0)
            return replace(own, forest=forest, towers=towers, training=training)
        trees = max(1, round(self.share * config.forest.trees / objectives)) * objectives
        return replace(own, forest=replace(config.forest, trees=trees))


WHOLE = Variant(1.0, NOTHING)
"""What the others are compared with: all trees, and the features alone."""


def variants(shares: Sequence[float] = SHARES, inputs: Sequence[str] = INPUTS) -> tuple[Variant, ...]:
    """All combinations; those with the same forest are adjacent."""
    return tuple(Variant(share, one) for share in shares for one in inputs)


@dataclass(frozen=True)
class VariantModel:
    """Trains a variant, as a model of `research.quality`.

    Attributes:
        variant: of the config of the day.
        forests: folder for forests. A forest there is not grown again.
    """

    variant: Variant
    forests: Path

    def __call__(self, day: HeldOutDay, seed: int) -> Probabilities:
        """The probabilities of the held-out rows [rows, objectives].

        Args:
            day: of a config with ids and histories, `with_inputs(…, BOTH)`.
            seed: of forest and towers.
        """
        config = self.variant.config(day.config)
        forest, leaves = stored_forest(day, config, seed, self.forests)
        own = narrowed(day, config)
        towers = tower_logits(own, config.towers, config.training, config.objectives, forest, leaves, seed)
        return blended(towers, forest, leaves[1], config.towers.forest_share)


def compared_models(chosen: Sequence[Variant], forests: Path) -> dict[Variant, ComparedModel]:
    """The variants as models of `research.quality.study.predictions_of`."""
    return {variant: _compared(variant, forests) for variant in chosen}


def _compared(variant: Variant, forests: Path) -> ComparedModel:
    def reads(config: PipelineConfig) -> tuple[object, ...]:
        own = variant.config(config)
        return own.features, own.forest, own.towers, own.training

    return ComparedModel(VariantModel(variant, forests), _CODE, reads)


def stored_forest(day: HeldOutDay, config: PipelineConfig, seed: int, folder: Path) -> tuple[Forest, Leaves]:
    """The forest of a variant and the leaves of the train and test rows; it is grown once, for whatever ids.

    Args:
        day: of a config with ids and histories.
        config: of the variant.
        seed: of the forest.
        folder: where forests are kept.
    """
    rows = forest_rows(day, config)
    file = folder / _fingerprint(rows, config.forest, seed)
    if not file.exists():
        forest, leaves = grown_forest(rows, config.forest, seed)
        with atomic_folder(file, durable=False) as made:
            forest.save(str(made))
        return forest, leaves
    forest = Forest.load(str(file))
    traversal = Traversal(forest)
    return forest, (traversal(rows.train.features).astype(np.int32), traversal(rows.test.features).astype(np.int32))


def _fingerprint(rows: HeldOutDay, forest: ForestConfig, seed: int) -> str:
    parts = (rows.digest, *rows.config.features.forest_names, to_json(forest), str(seed), code_fingerprint(_CODE[0]))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
