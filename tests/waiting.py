"""Waiting for a condition instead of a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from prometheus_client import REGISTRY


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What `condition` returns (or its coroutine does) once that is true. Fails after `seconds`."""
    give_up_at = asyncio.get_running_loop().time() + seconds
    while True:
        met = condition()
        if asyncio.iscoroutine(met):
            met = await met
        if met:
            return met
        assert asyncio.get_running_loop().time() < give_up_at, "the condition was never met"
        await asyncio.sleep(0.02)


def counted(name: str, **labels: str) -> float:
    """What a process counts about itself (chassis.metrics), as its operators see it; 0 before the first time."""
    return REGISTRY.get_sample_value(name, labels) or 0.0
