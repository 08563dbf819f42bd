"""Processes that train models side by side."""

import logging
import multiprocessing
import warnings
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext

from ranker.startup_lines import without_startup_lines

_PRELOADED = ["sklearn.linear_model", "tensorflow", "tensorflow_transform", "xgboost"]


def forking_context() -> ForkServerContext:
    """A context whose processes are forked from one that has imported the large libraries.

    Each process would otherwise import them anew, which takes longer than a training of a quick run.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    with without_startup_lines(inherited=True):
        forkserver.ensure_running()
    return context


def quiet_on_one_thread() -> None:
    """The start of a process that trains beside others: one thread, and no warnings of libraries."""
    import tensorflow as tf

    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
