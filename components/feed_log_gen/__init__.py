"""FeedLogGen: feed log → Examples."""
