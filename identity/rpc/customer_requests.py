"""What a list of customers is asked for, checked."""

from __future__ import annotations

from datetime import datetime

from bihuan.identity.v1 import customer_service_pb2 as pb

from chassis import paging
from chassis.errors import Forbidden, Invalid
from chassis.kernel.caller import Caller
from chassis.moments import moment
from identity.app.names import NamePrefixes

MOST_CHARACTERS = 64


def period(request: pb.ListCustomersRequest) -> tuple[datetime | None, datetime | None]:
    """Raises Invalid for one that has no moment in it."""
    since = moment(request.since) if request.HasField("since") else None
    until = moment(request.until) if request.HasField("until") else None
    if since is not None and until is not None and until <= since:
        raise Invalid("PERIOD_EMPTY", field="until", expected="a time after since")
    return since, until


def followed_by(request: pb.ListCustomersRequest) -> tuple[str, int | None]:
    """A userid, or "", and a department. Raises Invalid."""
    userid = paging.text(request.userid, "userid", most=MOST_CHARACTERS).lower() if request.userid else ""
    return userid, department(request.department_id) if request.HasField("department_id") else None


def department(department_id: int) -> int:
    """Raises Invalid for what is no department's id."""
    if department_id <= 0:
        raise Invalid("DEPARTMENT_WRONG", field="departmentId", expected="a department's id")
    return department_id


def name_prefix(request: pb.ListCustomersRequest, me: Caller, names: NamePrefixes) -> str | None:
    """The id of what the name shall begin with; None when nothing is asked. Raises Invalid, and Forbidden for callers
    who are shown no names: letter by letter they could guess them."""
    if not request.name:
        return None
    if not me.sees_names:
        raise Forbidden("NAMES_HIDDEN", "this role is shown no names", field="name", expected="no filter by name")
    return names.asked(me.corp_id, request.name)
