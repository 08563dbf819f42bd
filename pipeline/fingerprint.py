"""A hash over the code that a component runs, so that TFX's cache, which sees only parameters, notices a change."""

import hashlib
import importlib.util
from pathlib import Path

_SOURCES = (".py", ".j2", ".css", ".js")


def code_fingerprint(*modules: str) -> str:
    """Hex digest over the source of the named modules.

    A package stands for all Python below it, and for the templates, styles and scripts that pages are made of.

    Raises:
        ModuleNotFoundError: a name that cannot be found.
    """
    digest = hashlib.sha256()
    for module in sorted(modules):
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"code_fingerprint: there is no module {module!r}")
        origin = Path(spec.origin)
        is_package = origin.name == "__init__.py"
        files = sorted(f for f in origin.parent.rglob("*") if f.suffix in _SOURCES) if is_package else [origin]
        for file in files:
            digest.update(f"{module}:{file.relative_to(origin.parent)}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
