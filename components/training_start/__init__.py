"""TrainingStart: decides once per run what the day's training starts from."""
