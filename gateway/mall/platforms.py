"""The mall platforms that we can hear."""

from __future__ import annotations

from gateway.mall import youzan
from gateway.mall.adapter import Adapter

# The keys are those of chassis.kernel.corps.PLATFORM_KEYS.
PLATFORMS: dict[str, Adapter] = {"youzan": youzan}
