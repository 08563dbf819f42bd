"""Processes that train models side by side."""

import multiprocessing
from multiprocessing.context import ForkServerContext

_PRELOADED = ["sklearn.linear_model", "tensorflow", "tensorflow_transform", "xgboost"]


def forking_context() -> ForkServerContext:
    """A context whose processes are forked from one that has imported the large libraries.

    Each process would otherwise import them anew, which takes longer than a training of a quick run.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context
