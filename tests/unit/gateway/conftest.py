from __future__ import annotations

import pytest

from chassis.kernel.corps import Mall
from chassis.kernel.identifiers import Identifiers
from chassis.sealing import Sealer
from gateway.edge import Edge


@pytest.fixture(scope="session")
def edge(sealer: Sealer, identifiers: Identifiers) -> Edge:
    """Reads, and publishes nowhere."""
    return Edge(None, sealer, identifiers)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def shop() -> Mall:
    return Mall.model_validate(
        {
            "id": "yz", "platform": "youzan", "api_base": "http://x", "kdt_id": "160001", "client_id": "c",
            "client_secret": "s", "scope": "outlet", "openid_scope": "wx0123",
        }
    )  # fmt: skip
