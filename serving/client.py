"""The client of a served feed ranker. Its own package `feed_ranker_client` has it without TensorFlow."""

from feed_ranker_client import ArmsError, FeedRankerClient, InvalidRequestError, Ranking, ServingError

__all__ = ["ArmsError", "FeedRankerClient", "InvalidRequestError", "Ranking", "ServingError"]
