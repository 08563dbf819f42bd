"""Random effects on a model of a held-out day, as `ranker.effects` fits them on the model that serves."""
