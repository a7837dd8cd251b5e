"""What can be wrong with a request or a fact.

    DomainError
    ├── Invalid            the caller must change the request
    ├── Unauthenticated    we do not know the caller
    ├── Forbidden          we know the caller, and no
    ├── NotFound
    ├── AlreadyExists
    ├── Conflict           two writers met; try again
    ├── Precondition       right request, wrong moment
    ├── Limited            too much, too often
    ├── TooLarge           more bytes than are taken
    ├── TimedOut           the work outgrew its time bound; the same again would too
    ├── Unavailable        something we stand on is away; try again
    └── Broken             our own fault: an answer that must not leave

Each transport has one table (`chassis.guard`, `gateway.problems`); nobody else maps errors.
"""

from __future__ import annotations


class DomainError(Exception):
    """Root of all errors that a caller can understand.

    `reason` is stable and machine-readable; `field` names the offending field in the contract's spelling and
    `expected` says what would have been right.
    """

    def __init__(self, reason: str, message: str = "", *, field: str = "", expected: str = "") -> None:
        super().__init__(message or reason.replace("_", " ").lower())
        self.reason = reason
        self.field = field
        self.expected = expected

    @property
    def message(self) -> str:
        return str(self)


class Invalid(DomainError):
    pass


class Unauthenticated(DomainError):
    pass


class Forbidden(DomainError):
    pass


class NotFound(DomainError):
    pass


class AlreadyExists(DomainError):
    pass


class Conflict(DomainError):
    pass


class Precondition(DomainError):
    pass


class Limited(DomainError):
    pass


class TooLarge(DomainError):
    pass


class TimedOut(DomainError):
    pass


class Unavailable(DomainError):
    pass


class Broken(DomainError):
    pass
