"""A plugin of pytest for Windows, where a test's name has to fit into an environment variable."""

from __future__ import annotations

LONGEST = 1_000  # of 32,767 characters that Windows has for the variable in which pytest keeps the name


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long value by its argument; pytest adds a number where that is not unique."""
    return argname if isinstance(val, str | bytes) and len(val) > LONGEST else None
