"""The Jinja environment and templates that all reports share."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"
MAX_OBJECTIVES = 20
"""Maximum number of objectives with figures; the tables list all."""


def environment() -> Environment:
    """Jinja's environment over the templates: HTML is escaped, and an undefined name is an error."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
