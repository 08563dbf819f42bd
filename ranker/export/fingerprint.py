"""TensorFlow's fingerprint of a SavedModel, `fingerprint.pb`: hashes of the graph, the signatures and the variables."""

import hashlib
import uuid
from pathlib import Path

from tensorflow.core.protobuf import fingerprint_pb2
from tensorflow.python.saved_model.pywrap_saved_model import fingerprinting  # no public name makes a fingerprint

_FILE = "fingerprint.pb"


def renew_fingerprint(folder: Path) -> None:
    """Writes the fingerprint of a SavedModel that was changed after TensorFlow had saved it.

    Nothing refuses a model because of a wrong fingerprint, but TensorFlow and TensorFlow Serving report it as the
    identity of what they have loaded. Its id follows from the id before and the files: the same change of the same
    model gives the same bytes.

    Args:
        folder: of the SavedModel.
    """
    path = folder / _FILE
    before = path.read_bytes() if path.exists() else b""
    after = fingerprint_pb2.FingerprintDef.FromString(fingerprinting.CreateFingerprintDef(str(folder)))
    after.uuid = ""
    digest = hashlib.sha256(before + after.SerializeToString(deterministic=True)).digest()
    # TensorFlow writes an id as a decimal number of 128 bits.
    after.uuid = str(uuid.UUID(bytes=digest[:16], version=4).int)
    path.write_bytes(after.SerializeToString(deterministic=True))
