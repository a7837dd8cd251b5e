"""The mall platforms that can be asked who a buyer is. A platform is one module and a line in PLATFORMS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from nats.js import JetStreamContext

from chassis.kernel.corps import Corps, Mall
from chassis.sealing import Sealer
from commerce.adapters.youzan import Youzan
from commerce.app.buyers import MallRefused


class MallClient(Protocol):
    """Calls the API of every mall of one platform."""

    def __init__(self, js: JetStreamContext, sealer: Sealer, replicas: int) -> None: ...

    async def who(self, corp_id: str, mall: Mall, kind: str, value: str) -> Mapping[str, str]:
        """Other names of the buyer, kind → value. Raises MallAway or MallRefused."""
        ...

    async def close(self) -> None: ...


# The keys are those of chassis.kernel.corps.PLATFORM_KEYS; one that has no API to ask is missing.
PLATFORMS: dict[str, type[MallClient]] = {"youzan": Youzan}


class MallBook:
    """Who a buyer is, asked of their mall (commerce.app.buyers.BuyerBook). `replicas`: of the tokens' bucket."""

    def __init__(self, corps: Corps, js: JetStreamContext, sealer: Sealer, replicas: int = 1) -> None:
        self._corps, self._js, self._sealer, self._replicas = corps, js, sealer, replicas
        self._clients: dict[str, MallClient] = {}

    async def who(self, corp_id: str, mall_id: str, kind: str, value: str) -> Mapping[str, str]:
        mall = self._corps.get(corp_id).mall_of(mall_id)
        if mall is None or mall.platform not in PLATFORMS:
            raise MallRefused(f"{mall_id} cannot be asked")
        client = self._clients.get(mall.platform)
        if client is None:
            client = PLATFORMS[mall.platform](self._js, self._sealer, self._replicas)
            self._clients[mall.platform] = client
        return await client.who(corp_id, mall, kind, value)

    def scope_of(self, corp_id: str, mall_id: str, kind: str) -> str:
        """The scope of the names of this kind that the mall tells."""
        return self._corps.get(corp_id).scope_of(kind, mall_id)

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()
