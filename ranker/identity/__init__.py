"""What the cache, the registry and the monitor go by: fingerprints of code, data and trainings."""
