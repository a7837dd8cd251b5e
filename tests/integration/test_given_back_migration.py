"""What refunds gave back is counted on a database that the release before filled, and goes on writing to."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import asyncpg

from chassis.schema import migrate
from tests.conftest import CORP, ROOT, Servers
from tests.waiting import until

MIGRATIONS = ROOT / "commerce/migrations"
LANDED = 5
FILL = f"""
    insert into orders (corp_id, mall_id, order_id, currency, total_fen, paid_fen)
    select '{CORP}', 'yz', 'o' || n, 'CNY', 100, 100
    from generate_series(1, 3000) n;

    insert into refunds (
        corp_id, mall_id, refund_id, order_id, amount_fen, at, status, fact_id, subject, headers, payload
    )
    select
        '{CORP}', 'yz', 'r' || n, 'o' || (n % 3000 + 1), 10, now(),
        case when n % 3 = 0 then 'EXCESS' else 'ACCEPTED' end, n::text, '', '{{}}', ''
    from generate_series(1, 5000) n
"""
WRONG = """
    select count(*)
    from orders o
    left join (
        select order_id, sum(amount_fen) as fen
        from refunds
        where status = 'ACCEPTED'
        group by order_id
    ) r using (order_id)
    where o.given_back_fen is distinct from r.fen
"""


async def test_the_release_before_goes_on_while_refunds_are_counted(servers: Servers, tmp_path: Path) -> None:
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute("create database given_back")
    await admin.close()
    url = servers.url("given_back")
    for file in sorted(MIGRATIONS.glob("*.sql"))[:LANDED]:
        shutil.copy(file, tmp_path)
    await migrate(url, "commerce", tmp_path)
    settings = {"search_path": "commerce"}
    writer = await asyncpg.connect(url, server_settings=settings)
    reader = await asyncpg.connect(url, server_settings=settings)
    await writer.execute(FILL)
    # An order that is held stops the counting in its middle.
    await writer.execute(
        "create function hold() returns trigger language plpgsql as $$ begin"
        " perform pg_advisory_xact_lock(7); return new; end $$"
    )
    await writer.execute(
        "create trigger hold before update on orders for each row when (new.order_id = 'o2000') execute function hold()"
    )
    await writer.execute("select pg_advisory_lock(7)")
    migrating = asyncio.create_task(migrate(url, "commerce", MIGRATIONS))

    async def counting() -> bool:
        return bool(
            await reader.fetchval("select true from pg_locks where locktype = 'advisory' and objid = 7 and not granted")
        )

    await until(counting, seconds=20)
    assert await reader.fetchval("select count(*) from orders where order_id = 'o2000'", timeout=2) == 1
    await writer.execute("update refunds set amount_fen = 11 where order_id = 'o9'", timeout=2)
    await writer.execute("select pg_advisory_unlock(7)")
    await migrating
    assert await reader.fetchval(WRONG) == 0
    assert await reader.fetchval("select count(*) from orders where given_back_fen > 0") == 2000
    await writer.close()
    await reader.close()
