"""The names that the pipeline uses itself, and which names columns and objectives may have.

A column's name becomes a key of tf.Examples, an output of Transform (dense embeddings), an input of the forest and of
the signatures, and a line of the vocabularies' file. All of these are checked when a config is built, so that no
name fails hours later, or is silently confused with a tensor of the pipeline.
"""

import keyword
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType

# Tensors that one pipeline step writes and another reads; `ranker.keys` describes them.
FOREST_FEATURES = "forest_features"
NUMERIC = "numeric"
CATEGORICAL = "categorical"
LABELS = "labels"
VIEWER_BUCKET = "viewer_bucket"
ROW_WEIGHT = "row_weight"
CALIBRATION_KEY = "calibration_key"
EXPOSURE_VALUES = "exposure_values"
EXAMINED_BY = "examined_by"
HASHED_IDS = "hashed_ids"
RANDOM_SESSION = "random_session"
LEAVES = "leaves"
LOSS_WEIGHTS = "loss_weights"
LOGIT_OFFSET = "logit_offset"
LOG_EXAMINATION = "log_examination"

# Inputs of the signatures.
EXAMPLES = "examples"
ALPHA = "alpha"
LAMBDA = "lambda_"  # `lambda` is a Python keyword

EXAMINATION = "examination"
"""The output of serving_default, beside the objectives, of a model with an exposure model."""

UTILITY = "utility"
"""The ranking by the utility in tables, figures and metrics, beside those by each objective."""

RAW_RECORD = "__raw_record__"
"""The column of TFMA that holds a serialised tf.Example while a model is evaluated."""

RESERVED: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            (FOREST_FEATURES, NUMERIC, CATEGORICAL, LABELS, VIEWER_BUCKET, ROW_WEIGHT, CALIBRATION_KEY),
            "an output of Transform",
        ),
        **dict.fromkeys((EXPOSURE_VALUES, EXAMINED_BY, RANDOM_SESSION, HASHED_IDS), "an output of Transform"),
        LEAVES: "the output of LeafEncoder",
        **dict.fromkeys((LOSS_WEIGHTS, LOGIT_OFFSET, LOG_EXAMINATION), "a tensor of the towers' training"),
        EXAMPLES: "the input of the signature serving_default",
        EXAMINATION: "an output of the signature serving_default",
        **dict.fromkeys((ALPHA, LAMBDA), "an input of the signatures rank and rank_weighted"),
        RAW_RECORD: "a column of the evaluation",
    }
)
"""Name → what it is in the pipeline; no column and no objective may have it."""

RESERVED_FOR_OBJECTIVES: Mapping[str, str] = MappingProxyType(
    {**RESERVED, UTILITY: "the ranking by all objectives together in tables and metrics"}
)
"""The same for objectives: their results stand beside those of the utility. A feature may be named so."""

MAX_LENGTH = 100
"""Bytes of a name in UTF-8."""

_ODD = re.compile(r"[\s/,=\[\]<]")
_ACCENTS = re.compile("[\u0300-\u036f]")  # those of Latin, Greek and Cyrillic letters; other scripts spell with marks


def weight_name(objective: str) -> str:
    """The input of `rank_weighted` for an objective's utility weight."""
    return f"weight_{objective}"


def input_name(column: str) -> str:
    """The name of a column's tensor in a signature: the column's own name if it is valid.

    Characters other than ASCII letters, digits and underscores become underscores, a name that does not start with a
    letter gets the prefix `f_`, and a keyword of Python the suffix `_`.
    """
    name = re.sub(r"[^A-Za-z0-9_]", "_", column)
    if not name[0].isalpha():
        name = f"f_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def folded(name: str) -> str:
    """The name without case, accents and Unicode's alternative forms of a character.

    Example:
        >>> folded("Größe") == folded("GROSSE")
        True
    """
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed)).casefold()


def is_usable(name: str, reserved: Mapping[str, str] = RESERVED) -> bool:
    """Whether a column may have this name in tf.Examples: `check_names` and `check_reserved` accept it."""
    spelled = {spelling for own in reserved for spelling in _spellings(own)}
    return (
        not _ODD.search(name)
        and name.isprintable()
        and len(name.encode()) <= MAX_LENGTH
        and not spelled.intersection(_spellings(name))
    )


def check_distinct(field: str, names: Sequence[str]) -> None:
    """Raises ValueError if a name occurs twice."""
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{field}: names must be unique, but {twice} occur more than once")


RENAME = "name a feature or objective otherwise, and its column of the log with column={}"
"""What helps where a column has an odd name, with a place for it."""


def check_names(field: str, names: Iterable[str], remedy: str = RENAME) -> None:
    """Checks that names are distinct and can be used as columns.

    Args:
        field: of the config, for the error.
        names: of columns or objectives.
        remedy: what helps where a column of the log has a name that is not allowed, with a place for it.

    Raises:
        ValueError: a name occurs twice, also if only case or accents differ, is too long, or contains a character that
            slices, files or XGBoost do not allow.
    """
    names = tuple(names)
    if odd := sorted(name for name in names if _ODD.search(name) or not name.isprintable()):
        raise ValueError(
            f"{field}: names may not hold spaces, slashes, commas, equals signs, square brackets, less-than signs or "
            f"invisible characters, got {odd}; {remedy.format(repr(odd[0]))}"
        )
    if long := sorted(name for name in names if len(name.encode()) > MAX_LENGTH):
        raise ValueError(f"{field}: names may hold at most {MAX_LENGTH} bytes of UTF-8, got {long}")
    check_distinct(field, names)
    alike: dict[str, str] = {}
    for name in names:
        other = alike.setdefault(folded(name), name)
        if other != name:
            raise ValueError(f"{field}: names must differ in more than case and accents, got {other!r} and {name!r}")


def check_reserved(
    field: str, names: Iterable[str], objectives: Iterable[str] = (), reserved: Mapping[str, str] = RESERVED
) -> None:
    """Checks that no name is one that the pipeline uses itself.

    Args:
        field: of the config, for the error.
        names: of columns or objectives.
        objectives: whose weights are inputs of `rank_weighted`, too.
        reserved: name → what it is in the pipeline.

    Raises:
        ValueError: a name is reserved, or becomes a reserved name as the input of a signature.
    """
    own = {
        **reserved,
        **{weight_name(objective): "an input of the signature rank_weighted" for objective in objectives},
    }
    taken = {spelled: name for name in own for spelled in _spellings(name)}
    for name in names:
        if found := next((taken[spelled] for spelled in _spellings(name) if spelled in taken), None):
            raise ValueError(
                f"{field}: {name!r} is reserved, because {found!r} is {own[found]}; rename the column, or "
                f"keep it with column={name!r}. Every name is accepted except, in any spelling, "
                f"{', '.join(sorted(own))}"
            )


def input_names(columns: Iterable[str]) -> dict[str, str]:
    """Column → input name in a signature.

    Raises:
        ValueError: two columns would have the same name, or one would have the name of an input of `rank`. Names that
            differ only in case count as the same, because TensorFlow does not distinguish them.
    """
    names: dict[str, str] = {}
    taken = {ALPHA: f"the signature's own input {ALPHA!r}", LAMBDA: f"the signature's own input {LAMBDA!r}"}
    for column in columns:
        name = input_name(column)
        if other := taken.get(name.lower()):
            raise ValueError(
                f"serving: the column {column!r} would be the signature input {name!r}, which clashes with {other}; "
                "rename the column in the feed log"
            )
        taken[name.lower()] = f"the column {column!r}"
        names[column] = name
    return names


def check_forest_names(field: str, inputs: Mapping[str, Iterable[str]]) -> None:
    """Checks that the forest's inputs have distinct names.

    Args:
        field: of the config, for the error.
        inputs: column → names of its inputs.

    Raises:
        ValueError: two columns have an input of the same name, such as `topics.count`.
    """
    taken: dict[str, str] = {}
    for column, name in chain.from_iterable(((column, name) for name in names) for column, names in inputs.items()):
        if other := taken.get(name):
            raise ValueError(
                f"{field}: the columns {other!r} and {column!r} would both be the forest's input {name!r}; rename one"
            )
        taken[name] = column


def _spellings(name: str) -> tuple[str, ...]:
    """The forms in which a name is compared with reserved ones: as a column, and as a signature's input."""
    return folded(name), input_name(name).lower()
