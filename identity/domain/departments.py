"""The department tree: who is below whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def within(department_ids: Iterable[int], parents: Mapping[int, int | None]) -> tuple[int, ...]:
    """The departments and all above them, sorted. One whose parent is unknown ends the way up; a circle does too."""
    found: set[int] = set()
    for department_id in department_ids:
        step: int | None = department_id
        while step is not None and step not in found:
            found.add(step)
            step = parents.get(step)
    return tuple(sorted(found))


def managed(role: str, granted: Iterable[int], own: Iterable[int]) -> tuple[int, ...]:
    """What a member manages: what was granted to a MANAGER, or else their own departments; nobody else anything."""
    if role != "MANAGER":
        return ()
    return tuple(sorted(set(granted) or set(own)))
