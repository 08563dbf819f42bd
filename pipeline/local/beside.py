"""Runs one component beside those that follow it, in a process of its own.

Only its executor runs there. Everything else of the component, such as the cache and ML Metadata, stays in this process
and takes turns with the other components: SQLite has one writer, and TFX's launchers are not made for several at once.
"""

import gc
import logging
import multiprocessing
import os
import pickle
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

from google.protobuf.message import Message
from tfx.orchestration.portable import data_types
from tfx.orchestration.portable.beam_executor_operator import BeamExecutorOperator
from tfx.proto.orchestration.execution_result_pb2 import ExecutorOutput

from pipeline.beam import runs_in_this_process
from ranker import progress

_LOG = logging.getLogger(__name__)
_SECONDS_TO_STOP = 10.0

Outcome = TypeVar("Outcome")


def pays_off(beam_args: Sequence[str]) -> bool:
    """Whether a component with these arguments of Beam can run beside others here, on a core of its own.

    Beam's workers and clusters use the other cores anyway. A fork is only safe on Linux.
    """
    return sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1 and runs_in_this_process(beam_args)


def cpu_seconds() -> float:
    """CPU time of all threads of this process, and of the processes that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(of.ru_utime + of.ru_stime for of in used)


class StoppedError(BaseException):
    """The run was stopped; not an `Exception`, so that TFX records no failure, as after Ctrl-C."""


class Turn:
    """Hands the work between this process's thread and that of a component that runs beside it.

    Attributes:
        waited: seconds from the end of the component's executor until its turn.
        cpu_seconds: seconds of CPU time of its process.
    """

    def __init__(self) -> None:
        self.waited = 0.0
        self.cpu_seconds = 0.0
        self._away = threading.Event()  # its executor runs in the other process, or there is nothing left to do
        self._called = threading.Event()  # it is its turn
        self._starting = threading.Lock()  # so that `stop` sees every process, or prevents its start
        self._process: BaseProcess | None = None
        self._stopped = False

    def check(self) -> None:
        """Raises StoppedError if `stop` was called."""
        if self._stopped:
            raise StoppedError

    def run(self, work: Callable[[], ExecutorOutput]) -> ExecutorOutput:
        """Runs `work` in a process of its own; called by the component's thread.

        Raises:
            StoppedError: `stop` was called.
            Exception: what `work` raised.
        """
        forking = multiprocessing.get_context("fork")
        with self._starting:
            self.check()
            receiver, sender = forking.Pipe(duplex=False)
            process = forking.Process(target=_answer, args=(work, sender), daemon=True)
            process.start()
            self._process = process
        sender.close()
        self._away.set()
        answer: bytes | Exception | None
        try:
            answer, self.cpu_seconds = receiver.recv()
        except EOFError:
            answer = None
        ended = time.monotonic()
        self._called.wait()
        self.waited = time.monotonic() - ended
        # Not before: the CPU time of a process that ended is added to this one's, as if the others had taken it.
        process.join()
        self.check()
        if answer is None:
            raise RuntimeError(f"its process {_end_of(process.exitcode)}")
        if isinstance(answer, Exception):
            raise answer
        return ExecutorOutput.FromString(answer)

    def finish(self) -> None:
        """Says that the component ended; called by its thread."""
        self._away.set()

    def until_away(self) -> None:
        """Waits until the component's executor runs in its own process, or the component ended without one."""
        self._away.wait()

    def call(self) -> None:
        """Lets the component end."""
        self._called.set()

    def stop(self) -> None:
        """Ends the component's process, as the run was stopped; none is started later."""
        with self._starting:
            self._stopped = True
            process = self._process
        if process is not None and process.is_alive():
            process.terminate()
            process.join(_SECONDS_TO_STOP)
            if process.is_alive():
                process.kill()
        self._called.set()


class Beside(Generic[Outcome]):
    """A component that is launched beside the following ones.

    Args:
        component: its id.
        launch: launches it and returns its outcome; it is given what its operator has to use.
    """

    def __init__(self, component: str, launch: Callable[[Turn], Outcome]) -> None:
        self.component = component
        self._turn = Turn()
        self._outcomes: list[Outcome] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(launch,), name=component, daemon=True)

    def start(self) -> None:
        """Launches it, and waits until its executor runs in its own process, or it ended without one."""
        self._thread.start()
        self._turn.until_away()

    def outcome(self) -> Outcome:
        """Waits for its end, and returns the outcome.

        Raises:
            BaseException: what `launch` raised.
        """
        self._turn.call()
        self._thread.join()
        if self._error is not None:
            raise self._error
        [outcome] = self._outcomes
        return outcome

    def stop(self) -> None:
        """Ends it without an outcome; one that was not started is not launched later."""
        self._turn.stop()
        # An interrupted `start` may leave a thread that has yet to begin. It then finds that it was stopped.
        if self._thread.is_alive():
            self._thread.join()

    def _run(self, launch: Callable[[Turn], Outcome]) -> None:
        try:
            self._turn.check()
            self._outcomes.append(launch(self._turn))
        except StoppedError:
            _LOG.info("%s was stopped", self.component)
        except BaseException as error:  # `outcome` raises it in the thread of the run
            _LOG.exception("launching %s failed", self.component)
            self._error = error
        finally:
            self._turn.finish()


class BesideOperator(BeamExecutorOperator):  # type: ignore[misc] # TFX has no type hints
    """Runs a component on Beam, in a process of its own."""

    def __init__(self, executor_spec: Message, platform_config: Message | None, turn: Turn) -> None:
        super().__init__(executor_spec, platform_config)
        self._turn = turn

    def run_executor(self, execution_info: data_types.ExecutionInfo) -> ExecutorOutput:
        """See TFX."""
        run = super().run_executor
        return self._turn.run(lambda: run(execution_info))


def _answer(work: Callable[[], ExecutorOutput], sender: Connection) -> None:
    """Sends the result of `work`, or its exception; runs in the component's process."""
    # What was inherited is never collected here: a resource of TensorFlow ends by running a function, which would wait
    # for ever for threads that were not forked.
    gc.freeze()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    # The terminal belongs to the other process, and its locks may have been taken when this one was forked.
    for handler in list(logging.getLogger(progress.LOGGER_NAME).handlers):
        logging.getLogger(progress.LOGGER_NAME).removeHandler(handler)
    try:
        answer: bytes | Exception = work().SerializeToString()
    except Exception as error:
        _LOG.exception("the executor failed")
        answer = _sendable(error)
    sender.send((answer, cpu_seconds()))


def _end_of(exitcode: int | None) -> str:
    """How a process ended that sent no answer."""
    if exitcode is None or exitcode >= 0:
        return f"ended with the status {exitcode}"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = f"signal {-exitcode}"
    because = ", as when the machine runs out of memory" if -exitcode == signal.SIGKILL else ""
    return f"was ended by {name}{because}"


def _end_with(parent: BaseProcess | None) -> None:
    """Ends this process when `parent` does: a killed run must not go on, nor keep its working folder locked."""
    if parent is not None:
        parent.join()
        os._exit(1)


def _sendable(error: Exception) -> Exception:
    """The error if it survives being sent to another process, else one with its message."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever hinders it, the message is what the run reports
        return RuntimeError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    return error
