"""The feed log of the tests of `ranker.feed_log`."""

from tests.ranker.feed_log.conftest import columns, feed_log, write_day

__all__ = ["columns", "feed_log", "write_day"]
