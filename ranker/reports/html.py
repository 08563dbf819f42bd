"""The Jinja environment and templates that all reports share."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ranker.plain_text import MAX_SENTENCE, sentence, visible

TEMPLATES = Path(__file__).parent / "templates"
MAX_OBJECTIVES = 20
"""Maximum number of objectives with figures; the tables list all."""


def environment() -> Environment:
    """Jinja's environment over the templates: text is shown as it is, and an undefined name is an error.

    HTML is escaped, control characters are shown as escape sequences, and a text that is too long is shortened.
    """
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )


def _shown(value: Any) -> Any:
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return visible(value) if len(value) <= MAX_SENTENCE else sentence(value)
