"""What TensorFlow raises in a call of a model is an error about the rows."""

import pytest
import tensorflow as tf

from ranker.export.checks import check_scores
from ranker.feed_log.layout import FeedLogError
from ranker.scoring.calling import errors_of


def test_an_assertion_of_the_graph_is_one_sentence_about_the_rows() -> None:
    check = tf.function(lambda scores: check_scores(scores, ["picture", "sound"]))
    with pytest.raises(FeedLogError) as error, errors_of("part-0.parquet: rows 0 to 7"):
        check(tf.constant([[float("nan")]]))
    said = "part-0.parquet: rows 0 to 7: cannot be scored: picture, sound: numbers too large to be scored"
    assert str(error.value) == said


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), errors_of("part-0.parquet"):
        raise KeyError
