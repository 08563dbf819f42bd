"""Fingerprints of code, data and trainings, by which the cache, the registry and the monitor identify them."""
