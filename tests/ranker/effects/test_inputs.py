"""The inputs of the regressions."""

import numpy as np

from ranker.config.columns import Categorical, DenseEmbedding, Features
from ranker.config.effects import EffectLevel, Effects
from ranker.effects.inputs import input_layout, principal_components


def test_a_feature_of_two_levels_is_one_part_of_a_row() -> None:
    features = Features(categorical=(Categorical("kind"),), dense=(DenseEmbedding("text", 32), DenseEmbedding("px", 2)))
    levels = (EffectLevel("viewer_id", ("kind", "text")), EffectLevel("item_id", ("px", "kind")), EffectLevel("a"))
    layout = input_layout(Effects(levels, components=3, categories=2), features)
    assert layout.widths == {"kind": 2, "text": 3, "px": 2}
    assert layout.of_level == ((0, 1, 2, 3, 4), (5, 6, 0, 1), ())
    assert layout.width == 7


def test_components_are_the_directions_of_most_variance_scaled_to_one() -> None:
    random = np.random.default_rng(1)
    rotation = np.linalg.qr(random.normal(size=(5, 5)))[0]
    rows = (random.normal(size=(4000, 5)) * [3, 2, 0.5, 0.1, 0] @ rotation + 7).astype(np.float32)
    mean, components = principal_components(rows, 2)
    projected = (rows - mean) @ components
    np.testing.assert_allclose(projected.T @ projected / 4000, np.eye(2), atol=1e-3)
    assert abs(np.corrcoef(projected[:, 0], (rows - 7) @ rotation[0])[0, 1]) > 0.999
    again = principal_components(rows, 2)[1]
    np.testing.assert_array_equal(components, again)


def test_an_embedding_that_never_varies_becomes_zero() -> None:
    mean, components = principal_components(np.full((10, 3), 0.25, np.float32), 2)
    assert mean.tolist() == [0.25] * 3
    assert not components.any()
