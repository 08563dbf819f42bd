"""Text from data, paths and errors, made safe to show to a person.

A slice value, a path or an error message can have any characters and any length. Where it is shown, it has to stay one
piece of text: without control characters, which act on a terminal, and of limited length. Documents (JSON) hold the
complete text. Each place that gives some characters a meaning has one further home for its own escaping:

- terminal markup: `ranker.command_line.in_markup`
- HTML: `ranker.reports.html.environment`
- matplotlib: `ranker.figure_text`
- Markdown tables: `benchmarks.pages.table`
"""

import re

MAX_VALUE = 200
MAX_SENTENCE = 1_500
_ELLIPSIS = "…"

_BREAK = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*|\t")
# Control characters, what changes the direction of the text around it, and halves of surrogate pairs.
_ACTIVE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
# What stands between user and host in the URI of a store: s3://KEY:SECRET@bucket. Web addresses are left as they are,
# as they can be values of the data.
_SECRET = re.compile(r"\b((?!https?:)[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s/:@?#]*):[^\s/@?#]+(?=@)")


def without_secrets(text: str) -> str:
    """The text with the secrets in its URIs of stores left out.

    Example:
        >>> without_secrets("s3://KEY:SECRET@bucket/models?region=eu-west-1")
        's3://KEY:…@bucket/models?region=eu-west-1'
    """
    return _SECRET.sub(rf"\1:{_ELLIPSIS}", text)


def visible(text: str) -> str:
    """The text with its control characters as escape sequences; line feeds stay.

    Example:
        >>> visible("red \\x1b[31m")
        'red \\\\x1b[31m'
    """
    return _ACTIVE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def one_line(text: str, most: int = MAX_VALUE) -> str:
    """A value on one line, of at most `most` characters, without secrets; a longer one ends in an ellipsis.

    Example:
        >>> one_line("two\\nlines"), one_line("a long value", 7)
        ('two lines', 'a long…')
    """
    # What is cut off is not escaped first, and an escape sequence is not cut in half.
    line = visible(_BREAK.sub(" ", without_secrets(text[: 4 * most])))
    return line if len(line) <= most and len(text) <= 4 * most else line[: most - 1] + _ELLIPSIS


def sentence(text: str, most: int = MAX_SENTENCE) -> str:
    """A sentence on one line, of at most `most` characters, without secrets; a longer one loses its middle.

    A sentence about a long value usually begins with what it is about and ends with the reason.
    """
    if len(text) > 4 * most:
        text = text[: 2 * most] + _ELLIPSIS + text[-2 * most :]
    line = visible(_BREAK.sub(" ", without_secrets(text))).strip()
    if len(line) <= most:
        return line
    head = 2 * most // 3
    return f"{line[:head]} {_ELLIPSIS} {line[head + 3 - most :]}"
