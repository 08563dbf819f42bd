"""What is logged while a command runs, and afterwards as before."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def errors_only(*names: str) -> Iterator[None]:
    """While the block runs, these loggers pass on errors alone; afterwards they have the levels of before.

    Example:
        with errors_only("tensorflow"):
            train(config, log, day)
    """
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
