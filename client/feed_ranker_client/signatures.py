"""The signatures of one version of the model, and the requests that they accept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from feed_ranker_client.tensors import Arrays, as_array
from feed_ranker_client.validation import (
    Signature,
    Signatures,
    TensorForm,
    check_forms,
    check_names,
    check_values,
    find_signature,
    form_of,
    inputs_of,
    max_rows_of,
)


@dataclass(frozen=True, eq=False)
class KnownSignatures:
    """The signatures of a version of the model. Reading one takes as long as building a request, so each is read once.

    Attributes:
        signatures: by name.
        version: the version that has them; None if the server did not say.
    """

    signatures: Signatures
    version: int | None
    _forms: dict[str, dict[str, TensorForm]] = field(default_factory=dict)
    _max_rows: dict[tuple[str, int | None], int] = field(default_factory=dict)

    def inputs_of(self, name: str) -> tuple[Signature, dict[str, TensorForm]]:
        """A signature, and input → its required form.

        Raises:
            InvalidRequestError: the model has no such signature.
        """
        definition = find_signature(self.signatures, name)
        if name not in self._forms:
            self._forms[name] = inputs_of(definition)
        return definition, self._forms[name]

    def max_rows_of(self, name: str, own: int | None) -> int:
        """The maximum number of candidates per request: the signature's, or the caller's own if that is lower.

        Raises:
            InvalidRequestError: the model has no such signature.
        """
        if (name, own) not in self._max_rows:
            self._max_rows[name, own] = max_rows_of(find_signature(self.signatures, name), own)
        return self._max_rows[name, own]

    def checked(self, name: str, inputs: Mapping[str, Any], max_rows: int | None) -> Arrays:
        """A request's inputs as arrays, checked against a signature; `max_rows` None allows any number of candidates.

        Raises:
            InvalidRequestError: the model has no such signature, or an input is missing or does not match it.
        """
        definition, forms = self.inputs_of(name)
        check_names(definition, inputs, forms)
        arrays = {input_: as_array(input_, values, forms[input_]) for input_, values in inputs.items()}
        check_forms(definition, {input_: form_of(array) for input_, array in arrays.items()}, max_rows, forms)
        check_values(arrays)
        return arrays

    def same_as(self, other: "KnownSignatures") -> bool:
        """Whether another version has the same signatures."""
        return _bytes_of(self.signatures) == _bytes_of(other.signatures)


def _bytes_of(signatures: Signatures) -> dict[str, bytes]:
    """Signatures in a form that can be compared: a message with NaN does not equal itself."""
    return {name: signature.SerializeToString(deterministic=True) for name, signature in signatures.items()}
