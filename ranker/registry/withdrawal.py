"""Withdrawn models: a rollback withdraws the model that served, and it is not published again unless requested.

Each withdrawal is a small file in the hidden folder `.withdrawn` of the push destination, so it outlives the version.
TensorFlow Serving ignores the folder, as its name is not a number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pyarrow import fs
from pydantic.dataclasses import dataclass as document

from ranker.documents import DocumentError, read_json, write_json
from ranker.files import write_text
from ranker.registry.same_model import Model, StoredModel, same_model
from ranker.registry.versions import complete_versions, find_serving_version
from ranker.storage import filesystem_of, join

WITHDRAWN = ".withdrawn"


@dataclass(frozen=True)
class Withdrawal:
    """A model that was withdrawn, and the version under which it served until then."""

    version: str
    model: Model

    @property
    def text(self) -> str:
        """Why the model is not published, as a sentence."""
        return (
            f"this model served as version {self.version} until a rollback withdrew it, so nothing was published; "
            "--publish-withdrawn publishes it again"
        )


@document(frozen=True)
class _Record:
    """The content of a withdrawal's file; it is a `Model` by itself."""

    version: str
    training: str
    content: str


class Withdrawals:
    """The withdrawn models of a push destination.

    Args:
        withdrawals: in any order.
    """

    def __init__(self, withdrawals: Sequence[Withdrawal] = ()) -> None:
        self._withdrawals = sorted(withdrawals, key=lambda withdrawal: int(withdrawal.version), reverse=True)

    def of(self, model: Model) -> Withdrawal | None:
        """The newest withdrawal of a model, or None if it was not withdrawn."""
        return next((found for found in self._withdrawals if same_model(found.model, model)), None)

    def of_training(self, fingerprint: str) -> Withdrawal | None:
        """As `of`, by the fingerprint of the training, for a model whose files do not exist yet."""
        return next((found for found in self._withdrawals if fingerprint and found.model.training == fingerprint), None)


def read_withdrawals(destination: str) -> Withdrawals:
    """The withdrawn models of a push destination.

    A rollback of an earlier version of this project is recorded only in the manifest of the version that it published.
    It withdraws too, unless the model was published again since.

    Args:
        destination: path or URI of the folder of versions; it need not exist.

    Raises:
        DocumentError: a withdrawal's file is damaged.
    """
    found: list[Withdrawal] = [Withdrawal(record.version, record) for record in _records(destination)]
    known = {withdrawal.version for withdrawal in found}
    versions = complete_versions(destination)
    models = {version: StoredModel(join(destination, version)) for version in versions}
    for version in versions:
        rollback = models[version].manifest.rollback
        if rollback is None or rollback.instead_of in known or rollback.instead_of not in models:
            continue
        model = models[rollback.instead_of]
        if not any(int(later) > int(version) and _alike(models[later], model) for later in versions):
            found.append(Withdrawal(rollback.instead_of, model))
    return Withdrawals(found)


def destination_state(destination: str, training: str) -> str:
    """What a push of a training's model depends on, for a cache key.

    Args:
        destination: path or URI of the folder of versions; it need not exist.
        training: fingerprint of the training.
    """
    # The training's own versions are left out, as a repeated run of it shall find the same state.
    others = find_serving_version(destination, training) or "none"
    withdrawal = read_withdrawals(destination).of_training(training)
    if withdrawal is None:
        return others
    again = ", and serves again" if serves_again(destination, training) else ""
    return f"{others}, withdrawn as {withdrawal.version}{again}"


def serving_before(state: str) -> str:
    """The version that served by a `destination_state`, "none" if there was none, and "" of an empty one."""
    return state.partition(",")[0]


def published_after(withdrawal: Withdrawal, serving: str | None) -> bool:
    """Whether the withdrawn model was published on request since, given the serving version if that is this model.

    Then the push was killed before it ended the withdrawal. A rollback that was killed before it published is not
    meant: it leaves the withdrawn version itself serving.
    """
    return serving is not None and int(serving) > int(withdrawal.version)


def serves_again(destination: str, training: str) -> bool:
    """Whether the model of a training serves although its withdrawal is recorded; see `published_after`."""
    withdrawal = read_withdrawals(destination).of_training(training)
    newest = find_serving_version(destination)
    if withdrawal is None or newest is None or newest == find_serving_version(destination, training):
        return False
    return published_after(withdrawal, newest)


def withdraw(destination: str, version: str) -> None:
    """Records that the model of a version is withdrawn.

    Args:
        destination: path or URI of the folder of versions.
        version: the serving version.
    """
    model = StoredModel(join(destination, version))
    write_text(_file(destination, version), write_json(_Record(version, model.training, model.content)))


def reinstate(destination: str, model: Model) -> None:
    """Removes the records of a model's withdrawals."""
    filesystem, _ = filesystem_of(destination)
    for record in _records(destination):
        if same_model(record, model):
            filesystem.delete_file(filesystem_of(_file(destination, record.version))[1])


def _alike(one: Model, other: Model) -> bool:
    """As `same_model`, but a model's files are read only if it has no training."""
    return one.training == other.training if other.training else same_model(one, other)


def _records(destination: str) -> list[_Record]:
    filesystem, root = filesystem_of(join(destination, WITHDRAWN))
    records = []
    for info in filesystem.get_file_info(fs.FileSelector(root, allow_not_found=True)):
        # What a killed process left behind is hidden.
        if info.type == fs.FileType.File and not info.base_name.startswith("."):
            with filesystem.open_input_file(info.path) as file:
                text = file.read().decode("utf-8", "replace")
            path = join(destination, WITHDRAWN, info.base_name)
            record = read_json(_Record, text, path)
            if not (record.version.isascii() and record.version.isdecimal()):
                raise DocumentError(f"{path}: version: {record.version!r} is not a number")
            records.append(record)
    return records


def _file(destination: str, version: str) -> str:
    return join(destination, WITHDRAWN, f"{version}.json")
