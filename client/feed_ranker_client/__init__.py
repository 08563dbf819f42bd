"""A client of a served feed ranker, over gRPC. It needs grpcio, protobuf and numpy, and no TensorFlow."""

from feed_ranker_client.arms import ArmsError
from feed_ranker_client.client import FeedRankerClient, Ranking, Scores
from feed_ranker_client.connection import ServingError
from feed_ranker_client.validation import InvalidRequestError

__all__ = ["ArmsError", "FeedRankerClient", "InvalidRequestError", "Ranking", "Scores", "ServingError"]
