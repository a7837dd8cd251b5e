"""Who is behind a gRPC call: the gateway has checked them, the services apply their scope."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from chassis.errors import Unauthenticated

# They see the customers of some employees; everybody else who may read customers sees all.
CONFINED = frozenset({"FRONTLINE", "MANAGER"})
# Before the id of an API key, where it stands for who called; no userid has a colon.
KEY = "key:"
MASKED = frozenset({"ANALYST"})


@dataclass(frozen=True, slots=True)
class Caller:
    corp_id: str
    # Empty for an API key.
    userid: str
    # A role's name without its prefix: ADMIN, FRONTLINE.
    role: str
    api_key_id: str = ""

    @property
    def confined_to(self) -> str | None:
        """The member whose scope (chassis.kernel.scope) bounds what this caller sees; None when they see all.

        That it was read is noted: an answer of rows for which nobody asked this is refused (chassis.rpc).
        """
        note = _note.get()
        if note is not None:
            note.scope_was_read = True
        return self.userid if self.role in CONFINED else None

    @property
    def sees_names(self) -> bool:
        """Whether personal data is shown in the clear."""
        return self.role not in MASKED

    @property
    def name(self) -> str:
        """One name for whoever calls, member or program."""
        return self.userid or f"{KEY}{self.api_key_id}"

    @classmethod
    def named(cls, corp_id: str, name: str, role: str) -> Caller:
        """Whoever has this name, for work that goes on after their call."""
        if name.startswith(KEY):
            return cls(corp_id, "", role, name.removeprefix(KEY))
        return cls(corp_id, name, role)

    def metadata(self) -> list[tuple[str, str]]:
        return [
            ("bihuan-corp", self.corp_id),
            ("bihuan-userid", self.userid),
            ("bihuan-role", self.role),
            ("bihuan-api-key", self.api_key_id),
        ]


class Note:
    """What the handler of the current call has asked about its caller; shared by all tasks of the call."""

    scope_was_read = False


_note: ContextVar[Note | None] = ContextVar("note", default=None)
_current: ContextVar[Caller | None] = ContextVar("caller", default=None)


def enter(metadata: Mapping[str, str]) -> None:
    """Makes the call's metadata the current caller; calls between our own processes may have none."""
    corp_id, role = metadata.get("bihuan-corp", ""), metadata.get("bihuan-role", "")
    named = Caller(corp_id, metadata.get("bihuan-userid", ""), role, metadata.get("bihuan-api-key", ""))
    _current.set(named if corp_id and role else None)
    _note.set(Note())


def caller() -> Caller:
    """Raises Unauthenticated outside a call that names one."""
    current = _current.get()
    if current is None:
        raise Unauthenticated("CALLER_MISSING", "the call names no caller")
    return current


def lacks_scope() -> bool:
    """True when the current caller is confined and nobody has asked to what."""
    current, note = _current.get(), _note.get()
    return current is not None and current.role in CONFINED and note is not None and not note.scope_was_read


def masked(text: str) -> str:
    """Personal data for those who may only see that it is there: its first character."""
    return text[:1] + "*" * min(len(text) - 1, 3) if text else ""
