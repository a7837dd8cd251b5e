"""What files are for: who may bring and see them, what they may be, and how long they stay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

MIB = 1024 * 1024
# Enough to tell every type below.
HEAD_BYTES = 16
SIGNATURES = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "application/pdf": (b"%PDF-",),
    # Word, Excel and PowerPoint too.
    "application/zip": (b"PK\x03\x04",),
}


@dataclass(frozen=True, slots=True)
class Purpose:
    name: str
    # Roles that may see such a file beside its creator and an ADMIN.
    readers: frozenset[str] = frozenset()
    # Roles that may bring one; none for what only we make.
    uploaders: frozenset[str] = frozenset()
    # Of SIGNATURES.
    types: frozenset[str] = frozenset()
    most_bytes: int = 0
    # None: until it is deleted.
    kept: timedelta | None = None


# What a job made, or could not take.
JOB_RESULT = Purpose("job-result", kept=timedelta(days=7))


def type_of(head: bytes) -> str:
    """The content type that a file's first bytes tell; empty for one that we do not know."""
    return next((name for name, beginnings in SIGNATURES.items() if head.startswith(beginnings)), "")
