"""Feature columns: from the feed log to the inputs of the forest and the towers, in training and serving."""
