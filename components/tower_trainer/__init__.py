"""TowerTrainer: fits the towers on encoded leaves and exports the SavedModel."""
