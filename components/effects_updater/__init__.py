"""EffectsUpdater: updates the random effects of the serving model."""
