"""Files that a welcome may carry, as WeCom takes them."""

from __future__ import annotations

from chassis.purposes import MIB, SIGNATURES, Purpose

READERS = frozenset({"OPERATOR", "ANALYST", "SERVICE", "MANAGER", "FRONTLINE"})
UPLOADERS = frozenset({"ADMIN", "OPERATOR", "SERVICE"})

WELCOME_IMAGE = Purpose(
    "welcome-image",
    readers=READERS,
    uploaders=UPLOADERS,
    types=frozenset({"image/png", "image/jpeg"}),
    most_bytes=10 * MIB,
)
WELCOME_FILE = Purpose(
    "welcome-file",
    readers=READERS,
    uploaders=UPLOADERS,
    types=frozenset(SIGNATURES),
    most_bytes=20 * MIB,
)
