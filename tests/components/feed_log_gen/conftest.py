"""The feed log that `ranker.feed_log` is tested on."""

from tests.ranker.feed_log.conftest import columns, feed_log, write_day

__all__ = ["columns", "feed_log", "write_day"]
