"""Who is behind a gRPC call: the gateway has checked them, the services apply their scope."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from chassis.errors import Unauthenticated


@dataclass(frozen=True, slots=True)
class Caller:
    corp_id: str
    # Empty for an API key.
    userid: str
    # A role's name without its prefix: ADMIN, FRONTLINE.
    role: str

    @property
    def own_customers_of(self) -> str | None:
        """The employee to whose customers this caller is confined; None when they see all."""
        return self.userid if self.role == "FRONTLINE" else None

    def metadata(self) -> list[tuple[str, str]]:
        return [("bihuan-corp", self.corp_id), ("bihuan-userid", self.userid), ("bihuan-role", self.role)]


_current: ContextVar[Caller | None] = ContextVar("caller", default=None)


def enter(metadata: Mapping[str, str]) -> None:
    """Makes the call's metadata the current caller; calls between our own processes may have none."""
    corp_id, role = metadata.get("bihuan-corp", ""), metadata.get("bihuan-role", "")
    _current.set(Caller(corp_id, metadata.get("bihuan-userid", ""), role) if corp_id and role else None)


def caller() -> Caller:
    """Raises Unauthenticated outside a call that names one."""
    current = _current.get()
    if current is None:
        raise Unauthenticated("CALLER_MISSING", "the call names no caller")
    return current
