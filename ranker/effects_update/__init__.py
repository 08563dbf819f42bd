"""Updates the random effects of the serving model with the newest impressions, without a training."""
