"""EffectsTrainer: fits random effects on top of a trained model."""
