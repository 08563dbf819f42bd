"""The trade-off that tunes itself: settings, measurements, the optimiser, arms, and the state of an experiment."""
