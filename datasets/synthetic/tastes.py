"""Hidden tastes: lasting preferences of each viewer for styles of content and for authors, which no column shows.

A viewer's taste for an item is h = (style tastes · styles / sqrt(STYLES) + author tastes · author traits) / sqrt(2).
The tastes of a viewer are independent standard normal numbers; the traits of an author are a vector of length 1. So h
is normal given the item, with mean 0 and a variance that only the item's styles determine, about 1 on average.
"""

from dataclasses import dataclass

import numpy as np

from datasets.synthetic import vocabulary as words
from datasets.synthetic.behaviour import relevance
from datasets.synthetic.drift import seeded
from datasets.synthetic.impressions import Impressions
from datasets.synthetic.inventory import Items
from datasets.synthetic.vocabulary import Floats
from datasets.synthetic.world import STYLES, World, sigmoid, unit

_AUTHOR_TRAITS = 4

# How much of a viewer's taste each objective has. A reply is up to the author.
_LOADINGS = {name: 0.0 if name == "creator_reply" else 1.0 for name in words.OBJECTIVES}

# Nodes of the quadrature. Its error is below 0.001 for the strongest tastes allowed, below 0.000001 for the default.
_NODES = 24


@dataclass(frozen=True)
class Tastes:
    """The hidden tastes of all viewers; the same on every day.

    Attributes:
        styles: [viewers, STYLES], how much a viewer likes each style.
        authors: [viewers, traits], how much a viewer likes each trait of authors.
        traits: [authors, traits], rows of length 1.
    """

    styles: Floats
    authors: Floats
    traits: Floats


def make_tastes(world: World, seed: int) -> Tastes:
    """The tastes of the world's viewers."""
    rng = seeded(seed, "tastes")
    viewers, authors = len(world.viewers.ids), len(world.authors.kind)
    return Tastes(
        styles=rng.standard_normal((viewers, STYLES), np.float32),
        authors=rng.standard_normal((viewers, _AUTHOR_TRAITS), np.float32),
        traits=unit(rng.standard_normal((authors, _AUTHOR_TRAITS), np.float32)),
    )


def taste_for(tastes: Tastes, items: Items, rows: Impressions) -> Floats:
    """[impressions], how much the viewer likes the item's styles and author: h."""
    style = np.einsum("ij,ij->i", tastes.styles[rows.viewer], items.styles[rows.item])
    author = np.einsum("ij,ij->i", tastes.authors[rows.viewer], tastes.traits[rows.author])
    return (style / np.float32(np.sqrt(STYLES)) + author) / np.float32(np.sqrt(2))


def taste_inputs(tastes: Tastes, items: Items, rows: Impressions) -> Floats:
    """[impressions, STYLES + traits], what the tastes of a viewer are multiplied by and summed up to h."""
    styles = items.styles[rows.item] / np.float32(np.sqrt(STYLES))
    return np.concatenate([styles, tastes.traits[rows.author]], axis=1) / np.float32(np.sqrt(2))


def spread(items: Items, rows: Impressions) -> Floats:
    """[impressions], the standard deviation of h over viewers, given the item."""
    return np.sqrt(((items.styles[rows.item] ** 2).sum(axis=1) / STYLES + 1) / 2)


def with_tastes(usual: Floats, taste: Floats, spread: Floats, strength: float) -> Floats:
    """The log-odds of a viewer with that taste.

    Tastes would raise most base rates, because the probability is convex in the log-odds where it is small. The last
    term takes that back to second order. So the log has about the same rates, and about the same relation of outcomes
    to features, whatever the strength is.

    Args:
        usual: [objectives, impressions], log-odds of a viewer without tastes.
        taste, spread: [impressions], h and its standard deviation.
        strength: the standard deviation of the tastes in log-odds.

    Returns:
        [objectives, impressions].
    """
    if not strength:
        return usual
    loading = np.float32(strength) * np.array([_LOADINGS[name] for name in words.OBJECTIVES], np.float32)[:, None]
    return usual + loading * taste - (np.float32(0.5) - sigmoid(usual)) * (loading * spread) ** 2


def relevance_averaged_over_tastes(usual: Floats, spread: Floats, strength: float) -> Floats:
    """[objectives, impressions], the relevance for a viewer of whom only the logged columns are known.

    The expectation over h by Gauss-Hermite quadrature; h is exactly normal and independent of all logged columns of
    viewers and authors. `examined` is independent of tastes, so the probability of an outcome is examined * this.

    Args:
        usual, spread, strength: see with_tastes.
    """
    if not strength:
        return relevance(usual)
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    mean = np.zeros_like(usual)
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        mean += np.float32(weight) * relevance(with_tastes(usual, np.float32(node) * spread, spread, strength))
    return mean
