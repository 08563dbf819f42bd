"""TensorFlow's types of tensors, as numpy's: texts are an array of objects, each of them bytes."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class TensorType:
    """A type that a request may have.

    Attributes:
        number: of TensorFlow's enum `DataType`.
        dtype: numpy's type; object for texts.
        values: the field of a TensorProto that lists values one by one.
    """

    number: int
    dtype: np.dtype[Any]
    values: str

    @property
    def is_text(self) -> bool:
        """Whether it is the type of texts."""
        return self.dtype == object

    def __str__(self) -> str:
        return "string" if self.is_text else self.dtype.name


_TYPES = tuple(
    TensorType(number, np.dtype(dtype), values)
    for number, dtype, values in (
        (1, "float32", "float_val"),
        (2, "float64", "double_val"),
        (3, "int32", "int_val"),
        (4, "uint8", "int_val"),
        (5, "int16", "int_val"),
        (6, "int8", "int_val"),
        (7, "object", "string_val"),
        (8, "complex64", "scomplex_val"),
        (9, "int64", "int64_val"),
        (10, "bool", "bool_val"),
        (17, "uint16", "int_val"),
        (18, "complex128", "dcomplex_val"),
        (19, "float16", "half_val"),
        (22, "uint32", "uint32_val"),
        (23, "uint64", "uint64_val"),
    )
)
_BY_NUMBER = {found.number: found for found in _TYPES}
_BY_DTYPE = {found.dtype: found for found in _TYPES}


def type_of_number(number: int) -> TensorType:
    """The type with a number of TensorFlow's enum.

    Raises:
        TypeError: no request may have it.
    """
    try:
        return _BY_NUMBER[number]
    except KeyError:
        raise TypeError(f"{number} is not a tensor type of a request") from None


def type_of_array(dtype: np.dtype[Any]) -> TensorType:
    """The type of an array.

    Raises:
        TypeError: no tensor has it.

    Example:
        >>> str(type_of_array(np.dtype("float32")))
        'float32'
    """
    try:
        return _BY_DTYPE[dtype.newbyteorder("=")]
    except KeyError:
        raise TypeError(f"{dtype} is not a tensor type of a request") from None
