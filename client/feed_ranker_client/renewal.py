"""Requests the signatures of a served model again when a new version of the model may have other ones.

That is

- when the version of an answer is not that of the signatures, at most once per second,
- when the server refuses a request, at most once per second,
- when the client refuses a request, at most every ten seconds.

The three limits are independent of each other. Invalid requests, and a load balancer with servers of two versions, so
do not double the load of a server. One limit for all reasons would let an invalid request delay the renewal after a
push.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from feed_ranker_client.connection import RefusedError, ServingError
from feed_ranker_client.signatures import KnownSignatures
from feed_ranker_client.validation import InvalidRequestError, Signatures

_VERSION, _SERVER, _CLIENT = "version", "server", "client"
_RENEWED_AFTER_S = {_VERSION: 1.0, _SERVER: 1.0, _CLIENT: 10.0}
"""Why the signatures are requested again (the version of an answer, or a refusal by the server or by the client)
→ the least time since the last request for the same reason.
"""

Answered = TypeVar("Answered")


class RenewedSignatures:
    """The signatures of a served model, renewed after a push. Threads may share them.

    Args:
        read: requests the signatures from the server, with the version that has them.
    """

    def __init__(self, read: Callable[[], tuple[Signatures, int | None]]) -> None:
        self._read = read
        self._known: KnownSignatures | None = None
        self._requested: dict[str, float] = {}  # reason → time of the last request of signatures for it, in seconds
        self._renewing = threading.Lock()

    def current(self) -> KnownSignatures:
        """The signatures that were requested last; requested now if they never were.

        Raises:
            InvalidRequestError: the server refused the request.
            ServingError: the server did not answer in time, or answered with an error.
        """
        if self._known is None:
            self._known = KnownSignatures(*self._read())
            self._requested[_CLIENT] = time.monotonic()
        return self._known

    def again_if_renewed(self, answer: Callable[[KnownSignatures], Answered]) -> Answered:
        """The answer to a request; one that is refused is made once more if the signatures have changed since.

        A request waits while the refusal in another thread renews the signatures.

        Args:
            answer: checks the request against signatures, and sends it.

        Raises:
            InvalidRequestError: the client or the server refused the request.
            ServingError: the server did not answer in time, or answered with an error.
        """
        known = self.current()
        try:
            return answer(known)
        except InvalidRequestError as refused:
            with self._renewing:
                renewed = self._renew(known, _SERVER if isinstance(refused, RefusedError) else _CLIENT)
            if not renewed:
                raise
        return answer(self.current())

    def follow(self, version: int | None) -> None:
        """Requests the signatures again if an answer comes from another version than they do.

        Args:
            version: of the model that answered; None if the server did not say.
        """
        known = self.current()
        if version is None or known.version is None or version == known.version:
            return
        # If another thread does it, this one does not wait: it has its answer.
        if self._renewing.acquire(blocking=False):
            try:
                self._renew(known, _VERSION)
            finally:
                self._renewing.release()

    def _renew(self, known: KnownSignatures, reason: str) -> bool:
        """Whether there are other signatures than the known ones; requested unless that was done for the same reason
        a short time ago. The caller has the lock.
        """
        if self.current().signatures is not known.signatures:
            return True
        now = time.monotonic()
        if now - self._requested.get(reason, -math.inf) < _RENEWED_AFTER_S[reason]:
            return False
        self._requested[reason] = now
        try:
            found = KnownSignatures(*self._read())
        except (ServingError, InvalidRequestError):
            return False  # the answer, or why the request was refused, is what the caller is to get
        if found.same_as(known):
            self._known = replace(known, version=found.version)
            return False
        self._known = found
        return True
