"""A client of a served feed ranker, over gRPC.

    with FeedRankerClient("localhost:8500", "feed") as client:
        ranking = client.rank(features, alpha=0.4, lambda_=0.1)

In an experiment, each viewer's trade-off is drawn from a file of arms, which `python -m pipeline.tradeoff` writes:

    with FeedRankerClient("localhost:8500", "feed", arms="tradeoff/arms.json") as client:
        ranking = client.rank(features, viewer="viewer-7")  # log ranking.arm and ranking.arm_propensity

The client requests the model's signatures and validates every request against them. So an invalid request fails here,
with the name of the feature, without a round trip.

A new version of the model may take other features. So the signatures are requested again when an answer comes from
another version, and when a request is refused; `feed_ranker_client.renewal` has the rates. A refused request is checked
against the new signatures and sent once more if they differ. Threads may share a client: a refused request waits while
another one's refusal renews the signatures.

Rows of the feed log are best ranked by `client.rank(client.features(rows))`. As soon as the signatures of a new version
are known, `features` takes what that version takes. Sending a request again cannot add a feature that `features` left
out before. So after a push that requires another feature, the requests that were built before are refused: at most one
per thread, and none if the new version has answered another request before. Only if the server refused another, invalid
request less than a second before, refusals continue until that second is over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from feed_ranker_client.arms import Arm, ServedArms
from feed_ranker_client.connection import Answer, Connection
from feed_ranker_client.renewal import RenewedSignatures
from feed_ranker_client.signatures import KnownSignatures
from feed_ranker_client.table_columns import filled
from feed_ranker_client.tensors import Arrays
from feed_ranker_client.validation import InvalidRequestError, Signatures

# Names of inputs that a signature has beside the features.
EXAMPLES = "examples"
ALPHA = "alpha"
LAMBDA = "lambda_"
WEIGHT = "weight_"  # and the objective

Scores = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Ranking:
    """A session's candidates, ranked.

    Attributes:
        score: float32 [candidates], the utility scores in the order of the request.
        order: int32 [candidates], the candidates' indices by descending score.
        arm: the id of the arm that the viewer drew, for the feed log; None without an experiment.
        arm_propensity: the chance of this draw, for the feed log.
        version: the version of the model that answered, for the feed log; None if the server did not say.
    """

    score: NDArray[np.float32]
    order: NDArray[np.int32]
    arm: str | None = None
    arm_propensity: float | None = None
    version: int | None = None


class FeedRankerClient:
    """Scores and ranks candidates. Threads may share one.

    Args:
        target: the server's address, host:port.
        model: what the server calls the model.
        timeout_s: timeout of a call in seconds.
        version: a version of the model; None uses the newest, or the one with the label.
        label: the label of a version, as the server's settings give it, such as "stable" or "candidate".
        max_rows: maximum number of candidates per request, if that is lower than the model's; a larger request is
            refused without a round trip.
        mini_batch: maximum number of candidates that are scored together. A larger session is split into parts that are
            scored concurrently, none of them larger than a request may be. None never splits a session.
        arms: the file of an experiment's arms. It is read again when it changes; a damaged one changes nothing.

    Raises:
        ArmsError: the file of arms cannot be read.
        ValueError: `max_rows` or `mini_batch` is below 1, `timeout_s` is not above 0, or there is both a version and a
            label.

    Example:
        >>> with FeedRankerClient("localhost:8500", "feed", mini_batch=64) as client:  # doctest: +SKIP
        ...     probabilities = client.score_features(features)  # {"click": float32 [candidates], ...}
        ...     ranking = client.rank(features, alpha=0.4, lambda_=0.1, weights={"comment": 8.0})
        ...     best = ranking.order[:10]
    """

    def __init__(
        self,
        target: str,
        model: str,
        timeout_s: float = 1.0,
        version: int | None = None,
        max_rows: int | None = None,
        mini_batch: int | None = None,
        arms: str | Path | None = None,
        label: str | None = None,
    ) -> None:
        for name, least in (("max_rows", max_rows), ("mini_batch", mini_batch)):
            if least is not None and least < 1:
                raise ValueError(f"{name}: at least 1, got {least}")
        if not timeout_s > 0:
            raise ValueError(f"timeout_s: above 0, got {timeout_s}")
        if version is not None and label is not None:
            raise ValueError("version, label: give one of them")
        self._max_rows, self._mini_batch = max_rows, mini_batch
        self._arms = None if arms is None else ServedArms(Path(arms))
        self._connection = Connection(target, model, timeout_s, version, label)
        self._served = RenewedSignatures(self._connection.signatures)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def score_examples(self, examples: Sequence[bytes]) -> Scores:
        """Objective → probability [candidates], from serialised tf.Examples of raw features; errors as of `predict`."""
        return self.predict("serving_default", {EXAMPLES: examples})

    def score_features(self, features: Mapping[str, Any]) -> Scores:
        """Objective → float32 probability [candidates], from raw features; errors as of `predict`.

        Args:
            features: name → one value per candidate: numbers with NaN where missing, texts with "" where missing, lists
                of texts, or vectors. An id or a history may have one row for all candidates.

        Example:
            >>> client.score_features({"price": [9.5, float("nan")], "device": ["phone", ""]})  # doctest: +SKIP
            {'click': array([0.12, 0.07], dtype=float32)}
        """
        return self.predict("score_features", features)

    def score_leaves(self, inputs: Mapping[str, Any]) -> Scores:
        """Objective → probability [candidates], from `leaves` int32 [candidates, trees] and the towers' other inputs;
        errors as of `predict`.
        """
        return self.predict("score_leaves", inputs)

    def rank(
        self,
        features: Mapping[str, Any],
        alpha: float | None = None,
        lambda_: float | None = None,
        weights: Mapping[str, float] = MappingProxyType({}),
        viewer: str | None = None,
    ) -> Ranking:
        """Ranks a session's candidates by `alpha * f_p + (1 - alpha) * f_a + lambda * f_o`.

        Args:
            features: as for `score_features`, for all candidates of the session.
            alpha: weight of passive consumption, from 0 to 1; active consumption has weight 1 - alpha. None uses the
                value of the model's config.
            lambda_: weight of the other objectives; None uses the value of the model's config.
            weights: objective → its weight in this request; the other objectives keep the config's weights.
            viewer: the viewer's id, as in the feed log. The viewer's arm gives the trade-off, and is the same for every
                request while the file of arms stays as it is. None: the request is not part of the experiment.

        Raises:
            ValueError: a viewer is named without arms, or together with a trade-off.
            InvalidRequestError: an input is missing, or does not match the model's signature.
            ServingError: the server did not answer in time, or answered with an error.

        Example:
            >>> ranking = client.rank(features, alpha=0.4, weights={"comment": 8.0})  # doctest: +SKIP
            >>> shown = [items[candidate] for candidate in ranking.order[:10]]  # doctest: +SKIP
        """
        arm = None
        if viewer is not None:
            if alpha is not None or lambda_ is not None or weights:
                raise ValueError("viewer: the viewer's arm gives the trade-off; leave alpha, lambda_ and weights out")
            arm = self._draw(viewer, features)
            alpha, lambda_, weights = arm.alpha, arm.lambda_, arm.weights
        trade_off = {name: value for name, value in ((ALPHA, alpha), (LAMBDA, lambda_)) if value is not None}
        if not weights:
            ranked, version = self._call("rank", {**features, **trade_off})
        else:
            own = {f"{WEIGHT}{objective}": weight for objective, weight in weights.items()}
            ranked, version = self._call("rank_weighted", {**features, **trade_off, **own})
        ranking = Ranking(ranked["score"], ranked["order"], version=version)
        return ranking if arm is None else replace(ranking, arm=arm.id, arm_propensity=arm.share)

    def predict(self, signature: str, inputs: Mapping[str, Any]) -> Scores:
        """Outputs of a signature that scores each candidate independently, split into mini-batches if configured.

        Raises:
            InvalidRequestError: an input is missing, or does not match the signature.
            ServingError: the server did not answer in time, or answered with an error.
        """
        return self._served.again_if_renewed(lambda known: self._predicted(known, signature, inputs))

    def _predicted(self, known: KnownSignatures, signature: str, inputs: Mapping[str, Any]) -> Scores:
        most = known.max_rows_of(signature, self._max_rows)
        arrays = known.checked(signature, inputs, most if self._mini_batch is None else None)
        rows = max(map(len, arrays.values()))
        step = min(self._mini_batch or rows, most)
        calls = [
            self._connection.start(
                signature,
                # One row of all candidates, such as the viewer's history, goes with each part.
                {name: array if len(array) == 1 else array[begin : begin + step] for name, array in arrays.items()},
            )
            for begin in range(0, rows, step)
        ]
        answers = [self._connection.finish(call) for call in calls]
        for version in {version for _, version in answers}:
            self._served.follow(version)
        return {name: np.concatenate([outputs[name] for outputs, _ in answers]) for name in answers[0][0]}

    def features(self, rows: Mapping[str, Sequence[Any]], signature: str = "rank") -> dict[str, Any]:
        """The inputs of a signature among the columns of a table, such as rows of the feed log.

        Columns that are no inputs are left out. None, a table's null, becomes the missing value of its kind: NaN, "" or
        an empty list. Whole numbers and truth values in a column that is read as text become text, as in the feed log.

        Args:
            rows: column → values, one per candidate: `table.to_pydict()` of pyarrow, `frame.to_dict("list")` of pandas.
            signature: whose inputs to take.

        Raises:
            InvalidRequestError: the model has no such signature, or a column is no list of values.
            ServingError: the signatures are not known yet, and the server did not answer.
        """
        definition, forms = self._served.current().inputs_of(signature)
        return {
            name: filled(name, rows[name], form, name in definition.defaults)
            for name, form in forms.items()
            if name in rows and form.shape
        }

    def request(self, signature: str, inputs: Mapping[str, Any]) -> Any:
        """The request of a signature as one PredictRequest, checked; it is not sent.

        Raises:
            InvalidRequestError: an input is missing, or does not match the signature.
            ServingError: the signatures are not known yet, and the server did not answer.
        """
        return self._served.again_if_renewed(
            lambda known: self._connection.request(signature, self._checked(known, signature, inputs))
        )

    def signatures(self) -> Signatures:
        """The model's signatures; requested once, and again after a push or a refused request.

        Raises:
            ServingError: the server did not answer in time, or answered with an error.
        """
        return self._served.current().signatures

    def _draw(self, viewer: str, features: Mapping[str, Any]) -> Arm:
        if self._arms is None:
            raise ValueError("viewer: the client has no file of arms; name it with FeedRankerClient(arms=…)")
        arms = self._arms.current()
        return arms.draw(str(viewer), None if arms.by_input is None else _cohort(arms.by_input, features))

    def _checked(self, known: KnownSignatures, signature: str, inputs: Mapping[str, Any]) -> Arrays:
        return known.checked(signature, inputs, known.max_rows_of(signature, self._max_rows))

    def _call(self, signature: str, inputs: Mapping[str, Any]) -> Answer:
        outputs, version = self._served.again_if_renewed(
            lambda known: self._connection.finish(
                self._connection.start(signature, self._checked(known, signature, inputs))
            )
        )
        self._served.follow(version)
        return outputs, version


def _cohort(by_input: str, features: Mapping[str, Any]) -> str | None:
    """The cohort of a session: the value that all its candidates have of a feature.

    Raises:
        InvalidRequestError: the candidates have different values.
    """
    values = np.asarray(features.get(by_input, [""])).ravel().tolist()
    texts = {value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values}
    if len(texts) > 1:
        raise InvalidRequestError(
            f"{by_input}: the arms are by this feature, so all candidates of a session need the same value"
        )
    return next(iter(texts), None)
