from __future__ import annotations

from typing import Any


class WeComRefusal(Exception):
    """An errcode with WeCom's English reason and the empty fields that some calls still answer with."""

    def __init__(self, errcode: int, text: str, **fields: Any) -> None:
        super().__init__(f"{errcode} {text}")
        self.errcode = errcode
        self.text = text
        self.fields = fields


def check_fields(body: dict[str, Any], allowed: set[str]) -> None:
    unknown = sorted(set(body) - allowed)
    if unknown:
        raise WeComRefusal(40035, f"invalid parameter: {unknown[0]}")
