"""Commerce's attribution as its process runs it, for tests that work by hand."""

from __future__ import annotations

from chassis.kernel.corps import App, Corp, Corps
from chassis.outbox import Outbox
from chassis.parking import Parking
from chassis.work_queue import WorkQueue
from commerce.app import attribution
from commerce.app.attribution import Attribution
from tests.conftest import CORP


def corps(*, days: int = 90, timezone: str = "Asia/Shanghai") -> Corps:
    app = App(agent_id=1, secret="s", callback_token="t", callback_aes_key="A" * 43)
    corp = Corp(
        corp_id=CORP,
        name="c",
        api_base="http://x",
        oauth_base="http://x",
        app=(app,),
        attribution_days=days,
        timezone=timezone,
    )
    return Corps((corp,))


def attribution_queue(outbox: Outbox, known: Corps | None = None) -> WorkQueue:
    return WorkQueue(
        outbox,
        Parking(outbox.pool),
        attribution.QUEUE,
        attribution.TABLE,
        Attribution(known or corps()).attribute,
        key=attribution.KEY,
    )


async def work_off(queue: WorkQueue) -> None:
    while await queue.work():
        pass
