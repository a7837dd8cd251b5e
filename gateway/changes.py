"""Which changes of lists a role is told of, and in which words.

Who sees a list whole is told which of its rows changed. Who sees a part of it is told that something did, which may not
be theirs: they read their own part anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import orjson
from bihuan.staff.v1.facts_pb2 import StaffAlerted, StaffAlertRaised

from chassis.facts import subject_of
from chassis.kernel.access import access_of
from chassis.kernel.caller import CONFINED
from gateway.rest.contract import operations

LISTS = "/api/v1/"
# So many employees may be online that a change anywhere would have them all read at once: they have their alerts.
MANY = frozenset({"FRONTLINE"})
# What happened to a customer changes these, for others than the one who was alerted.
MOVED_BY_ALERTS = ("alerts", "customers", "orders")
ALERTS = frozenset({subject_of(StaffAlerted), subject_of(StaffAlertRaised)})


@dataclass(frozen=True, slots=True)
class Told:
    """Collections as REST names them. `whole`: their changes, with ids. `part`: that they changed."""

    whole: frozenset[str] = frozenset()
    part: frozenset[str] = frozenset()


@cache
def told(role: str) -> Told:
    """Of what a role is told: the collections that it may list."""
    whole, part = set(), set()
    for operation in operations():
        name = operation.path.removeprefix(LISTS)
        if operation.verb != "GET" or "/" in name or role not in operation.roles:
            continue
        if not (role in CONFINED and access_of(operation.method).confines):
            whole.add(name)
        elif role not in MANY:
            part.add(name)
    return Told(frozenset(whole), frozenset(part))


def moved(noun: str) -> bytes:
    """The event that says that a collection changed. It has no id: nobody resumes behind it."""
    return b"event: changed\ndata: %b\n\n" % orjson.dumps({"noun": noun, "ids": []})
