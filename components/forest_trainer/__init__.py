"""ForestTrainer: transformed examples → the forest that encodes features as leaves."""
