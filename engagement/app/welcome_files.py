"""Images that a welcome may carry, as WeCom takes them."""

from __future__ import annotations

from chassis.purposes import MIB, Purpose

WELCOME_IMAGE = Purpose(
    "welcome-image",
    readers=frozenset({"OPERATOR", "ANALYST", "SERVICE", "MANAGER", "FRONTLINE"}),
    uploaders=frozenset({"ADMIN", "OPERATOR", "SERVICE"}),
    types=frozenset({"image/png", "image/jpeg"}),
    most_bytes=10 * MIB,
)
