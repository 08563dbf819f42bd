"""The report's figures: each function takes plain data and returns a finished `Drawing`."""
