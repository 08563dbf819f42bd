"""BatchScorer: scores a day of the feed log with the newest pushed model, by Beam."""
