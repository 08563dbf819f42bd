"""TowerTrainer: trains the towers on encoded leaves and exports the SavedModel."""
