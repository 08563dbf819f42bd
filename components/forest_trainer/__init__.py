"""ForestTrainer: trains the forest that encodes features as leaves."""
