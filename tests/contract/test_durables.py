"""What each durable is fed, for ever: a type that is added to one later would be passed over on the server.

After adding or retiring a durable: `python -m tests.contract.test_durables`. It adds and retires; it changes nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chassis.facts import type_of
from tests.contract.test_facts import durables

GOLDEN = Path(__file__).with_name("durables.json")


def current() -> dict[str, dict[str, Any]]:
    return {one.name: {"stream": one.stream, "types": sorted(map(type_of, one.types))} for one in durables()}


def recorded() -> dict[str, dict[str, Any]]:
    return dict(json.loads(GOLDEN.read_text()))


def test_a_durable_keeps_its_stream_and_types() -> None:
    known = recorded()
    for name, fed in current().items():
        assert name in known, "a new durable: python -m tests.contract.test_durables"
        assert not known[name].get("retired"), f"{name} was retired: a durable that starts anew needs a new name"
        assert fed == known[name], f"{name} is fed what it always was: a new type needs a durable of its own"


def test_a_durable_that_is_gone_is_recorded_as_retired() -> None:
    gone = {name for name, one in recorded().items() if not one.get("retired")} - set(current())
    assert not gone, "python -m tests.contract.test_durables"


def write_golden() -> None:
    known, now = recorded() if GOLDEN.exists() else {}, current()
    for name in sorted(known.keys() | now.keys()):
        known.setdefault(name, now.get(name, {}))
        if name not in now:
            known[name]["retired"] = True
    GOLDEN.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")


if __name__ == "__main__":
    write_golden()
