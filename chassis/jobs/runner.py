"""What a kind of job is made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from chassis.kernel.caller import Caller
from chassis.outbox import Tx


@dataclass(frozen=True, slots=True)
class Running:
    """A job as its runner gets it: `position` is where this step begins, empty for the first."""

    job_id: str
    creator: Caller
    request: bytes
    position: str
    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did, some seconds of work at most. `position`: where the next one begins; None after the last.

    `result` and `errors` are appended to the job's files. `write` makes the step's effects in its own transaction.
    """

    position: str | None
    done: int
    total: int | None = None
    result: bytes = b""
    errors: bytes = b""
    write: Callable[[Tx], Awaitable[None]] | None = None


class Runner(Protocol):
    """What raises a DomainError fails the job; what raises anything else is tried again, MOST_FAILURES times in all."""

    @property
    def result(self) -> tuple[str, str] | None:
        """Name and content type of the file that it makes."""
        ...

    @property
    def errors(self) -> tuple[str, str] | None:
        """The same of what it could not take."""
        ...

    async def step(self, job: Running) -> Step:
        """Runs as the job's creator (chassis.kernel.caller)."""
        ...


class Members(Protocol):
    async def role_of(self, who: Caller) -> str:
        """The role they have now. Raises Forbidden or Unauthenticated for who is none of ours any more."""
        ...
