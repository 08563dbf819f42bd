"""Searches settings of forest, towers and training with optuna."""
