"""Compilation with and without a place for the cache."""

from ranker.compiled import compiled


def test_a_function_without_a_place_for_its_cache_is_compiled_all_the_same() -> None:
    # Numba finds no folder to cache the code of a function that no file holds.
    scope: dict[str, object] = {}
    exec(compile("def double(x):\n    return 2 * x\n", "<nowhere>", "exec"), scope)
    assert compiled(scope["double"])(21) == 42  # type: ignore[arg-type]
