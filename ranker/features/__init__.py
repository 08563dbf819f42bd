"""Feature columns: from the feed log to what the forest and the towers read, in training and in serving."""
