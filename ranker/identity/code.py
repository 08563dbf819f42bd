"""A hash of the code that a component runs, so that caches keyed by parameters notice code changes.

TFX's cache is keyed by a component's parameters and inputs (`tfx.orchestration.portable.cache_utils`). Code is neither,
so each component has a fingerprint of its executor's code as an additional parameter.
"""

import ast
import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]

# Text files are requirements of an environment of its own.
_TEMPLATES = (".j2", ".css", ".js", ".txt")


def code_fingerprint(*modules: str, root: Path = PROJECT_ROOT) -> str:
    """Hex digest over the named modules and everything in the project that they import, directly or indirectly.

    The import closure is read from the source; nothing is imported. It includes imports inside functions, the
    `__init__` of every parent package, and the templates, styles, scripts and requirements of a package.

    Args:
        modules: dotted names, such as an executor's. A package stands for all of its modules.
        root: the folder that contains the project's packages.

    Raises:
        ModuleNotFoundError: a name is not a module of the project.

    Example:
        >>> code_fingerprint("components.pusher.executor") == code_fingerprint("components.pusher.executor")
        True
    """
    digest = hashlib.sha256()
    for file in import_closure(*modules, root=root):
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def import_closure(*modules: str, root: Path = PROJECT_ROOT) -> list[Path]:
    """The project's files that importing these modules can execute or read, sorted; see `code_fingerprint`."""
    pending = []
    for module in modules:
        if (file := _find(module, root)) is None:
            raise ModuleNotFoundError(f"code fingerprint: the project has no module {module!r}")
        pending.append((module, file))
        if file.name == "__init__.py":
            pending += _modules_of(module, file.parent)
    ours = {entry.stem for entry in root.iterdir()}
    looked_up: set[str] = set(modules)
    found: set[Path] = set()
    while pending:
        module, file = pending.pop()
        if file in found:
            continue
        found.add(file)
        if file.name == "__init__.py":
            found.update(_templates(file.parent))
        for name in (*_packages_of(module), *_imports(file, file.stat().st_mtime_ns, module)):
            if name in looked_up or name.partition(".")[0] not in ours:
                continue
            looked_up.add(name)
            if (imported := _find(name, root)) is not None:
                pending.append((name, imported))
    return sorted(found)


def _find(module: str, root: Path) -> Path | None:
    """The file of a module of the project, or None if the project has no such module."""
    # Strings, as this is called some thousand times a run.
    path = os.path.join(root, *module.split("."))
    for file in (os.path.join(path, "__init__.py"), f"{path}.py"):
        if os.path.isfile(file):
            return Path(file)
    return None


def _modules_of(package: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Every module of a package and of the packages in it: name and file."""
    for file in sorted(folder.rglob("*.py")):
        inner = file.relative_to(folder).with_suffix("").parts
        yield ".".join((package, *(part for part in inner if part != "__init__"))), file


def _packages_of(module: str) -> Iterator[str]:
    parts = module.split(".")
    for depth in range(1, len(parts)):
        yield ".".join(parts[:depth])


@functools.cache
def _imports(file: Path, _changed: int, module: str) -> tuple[str, ...]:
    """Every name that a file may import: modules, and the names imported from them, which may be modules too."""
    names: list[str] = []
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_bytes(), str(file))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return tuple(dict.fromkeys(names))


def _templates(package: Path) -> Iterator[Path]:
    """Templates of a package, including those in subfolders that are not packages."""
    for entry in sorted(package.iterdir()):
        if entry.suffix in _TEMPLATES:
            yield entry
        elif entry.is_dir() and not (entry / "__init__.py").exists():
            yield from _templates(entry)
