from __future__ import annotations

import pytest

from chassis.kernel.identifiers import Identifiers
from chassis.sealing import Sealer
from engagement.consumers import Handlers
from engagement.settings import Settings as EngagementSettings


@pytest.fixture(scope="session")
def handlers(sealer: Sealer, identifiers: Identifiers) -> Handlers:
    environment = dict.fromkeys(("nats_url", "data_keys", "index_key", "database_url"), "x")
    settings = EngagementSettings(**environment, corps_file="x", service_key="x" * 16)  # type: ignore[arg-type]
    return Handlers(settings, sealer, identifiers)
