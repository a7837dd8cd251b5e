"""Lists as CSV files: everything that its creator sees, and nothing else, in a file that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from bihuan.commerce.v1 import order_service_pb2 as orders_pb
from bihuan.identity.v1 import customer_service_pb2 as customers_pb
from bihuan.operations.v1 import job_service_pb2 as jobs_pb

from chassis import csv_export, idempotency
from chassis.blobs import Blobs
from chassis.csv_export import CsvExport, Export
from chassis.effects import EffectWorker, OneByOne
from chassis.errors import Invalid
from chassis.files import Files
from chassis.idempotency import IdempotentRequests
from chassis.jobs.worker import JobKind
from chassis.kernel import caller
from chassis.kernel.caller import Caller
from chassis.kernel.corps import App, Corp, Corps
from chassis.kernel.identifiers import Identifiers
from chassis.sealing import Sealer
from commerce.rpc.order_export import ExportableOrders
from identity.rpc.customer_export import ExportableCustomers
from tests.conftest import CORP, Room
from tests.integration.test_identity_lists import fill

Rooms = Callable[..., Any]
BOSS = Caller(CORP, "head", "ADMIN")
CUSTOMERS = 1000
NAMES = {0: "=cmd|' /C calc'!A0", 1: "+1", 2: "-2", 3: "@x", 4: '张"三,\n', 5: "\tx", 6: "＝1+1", 7: "\n=1"}


class Unchanged:
    async def role_of(self, who: Caller) -> str:
        return who.role


@dataclass
class Exporting:
    room: Room
    files: Files
    offered: list[JobKind]
    servicer: Any

    async def ask(self, me: Caller, request: Any) -> jobs_pb.Job:
        caller.enter(dict(me.metadata()))
        create = getattr(self.servicer, type(request).__name__.removesuffix("Request"))
        job: jobs_pb.Job = (await create(request, None)).job
        assert not caller.lacks_scope()
        return job

    async def export(self, me: Caller, request: Any) -> list[list[str]]:
        """The file's lines, cell by cell."""
        return list(csv.reader(io.StringIO((await self.raw(me, request)).decode("utf-8-sig"), newline="")))

    async def raw(self, me: Caller, request: Any) -> bytes:
        job = await self.ask(me, request)
        kind = self.offered[-1]
        worker = EffectWorker(self.room.pool, kind.queue, OneByOne(kind.perform), at_once=2, attempts=None)
        while await worker.work():
            await worker.drain()
        (row,) = await self.room.rows("select * from jobs where job_id = $1", job.job_id)
        assert row["state"] == "SUCCEEDED", row
        file, parts = await self.files.find(me, str(row["result_file_id"]))
        assert file.content_type.startswith("text/csv")
        return b"".join([piece async for piece in self.files.read(file, parts)])


@asynccontextmanager
async def exporting(
    rooms: Rooms, service: str, sealer: Sealer, identifiers: Identifiers, folder: Path
) -> AsyncIterator[Exporting]:
    app = App(agent_id=7, secret="s", callback_token="t", callback_aes_key="A" * 43)
    corps = Corps((Corp(corp_id=CORP, name="x", api_base="http://x", oauth_base="http://x", app=(app,)),))
    async with rooms(service) as room:
        files = Files(room.pool, Blobs(folder.as_uri(), service, sealer), sealer)
        offered: list[JobKind] = []

        def job(kind: str, runner: CsvExport, members: Unchanged, release: int = 1) -> JobKind:
            offered.append(JobKind(kind, service, runner, members, room.outbox, files, sealer, release))
            return offered[-1]

        def offer(kind: str, runner: CsvExport) -> Export:
            once = IdempotentRequests(room.outbox, sealer, identifiers)
            return csv_export.offer(SimpleNamespace(job=job, once=once), Unchanged(), kind, runner)  # type: ignore[arg-type]

        if service == "identity":
            await fill(room, sealer, CUSTOMERS)
            for n, name in NAMES.items():
                await room.pool.execute(
                    "insert into contacts values ($1, md5('external_userid' || $2::int)::uuid, $3, 1)",
                    CORP,
                    n + 1,
                    sealer.seal(CORP, name),
                )
            servicer: Any = ExportableCustomers(room.pool, sealer, identifiers, corps, offer)
        else:
            servicer = ExportableOrders(room.pool, corps, offer)
        yield Exporting(room, files, offered, servicer)


def ids(lines: list[list[str]]) -> list[int]:
    return [UUID(line[0]).int for line in lines[1:]]


async def test_everybody_gets_what_their_list_shows(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers, tmp_path: Path
) -> None:
    request = customers_pb.CreateCustomerExportRequest()
    async with exporting(rooms, "identity", sealer, identifiers, tmp_path) as at:
        everything = await at.export(BOSS, request)
        assert ids(everything) == list(range(CUSTOMERS, 0, -1))
        assert everything[0][:2] == ["客户编号", "姓名"]
        assert {len(line) for line in everything} == {len(everything[0])}
        assert everything[1][5] == "2026-01-01 08:00:00"  # the corp's zone
        assert ids(await at.export(Caller(CORP, "guide7", "FRONTLINE"), request)) == list(range(907, 0, -100))
        assert ids(await at.export(Caller(CORP, "few", "FRONTLINE"), request)) == list(range(10, 0, -1))
        assert ids(await at.export(Caller(CORP, "nobody", "FRONTLINE"), request)) == []
        assert len(ids(await at.export(Caller(CORP, "boss", "MANAGER"), request))) == CUSTOMERS
        (row,) = await at.room.rows("select done, total from jobs where created_by = 'head'")
        assert (row["done"], row["total"]) == (CUSTOMERS, CUSTOMERS)


async def test_no_cell_is_a_formula_and_excel_knows_the_encoding(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers, tmp_path: Path
) -> None:
    request = customers_pb.CreateCustomerExportRequest(language="en")
    async with exporting(rooms, "identity", sealer, identifiers, tmp_path) as at:
        raw = await at.raw(BOSS, request)
        assert raw.startswith(b"\xef\xbb\xbfCustomer ID,Name")
        lines = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
        names = {UUID(line[0]).int - 1: line[1] for line in lines[1:] if line[1]}
        assert names == {n: name if n == 4 else f"'{name}" for n, name in NAMES.items()}


async def test_a_release_does_no_exports_of_a_later_one(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers, tmp_path: Path
) -> None:
    """It would leave out the filters that it does not know, and write more than was asked for. Its own are done."""
    request = customers_pb.CreateCustomerExportRequest(filter={"name": "张"})
    async with exporting(rooms, "identity", sealer, identifiers, tmp_path) as at:
        job = await at.ask(BOSS, request)
        assert job.kind == "customer-export"
        queues = [one.queue for one in at.offered]
        assert queues[0] == "job-customer-export", "as the release before calls it"
        due = await at.room.rows("select kind from due_rows where key = $1", job.job_id)
        assert [row["kind"] for row in due] == queues[1:] != queues[:1]


async def test_names_are_masked_as_in_the_list(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers, tmp_path: Path
) -> None:
    async with exporting(rooms, "identity", sealer, identifiers, tmp_path) as at:
        lines = await at.export(Caller(CORP, "ida", "ANALYST"), customers_pb.CreateCustomerExportRequest())
        names = {UUID(line[0]).int - 1: line[1] for line in lines[1:]}
        assert names[4] == "张***"
        assert {line[2] for line in lines[1:]} == {""}


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"language": "fr"}, "language"),
        ({"title": "x" * 101}, "title"),
        ({"filter": {"page_size": 5}}, "filter.pageSize"),
        ({"filter": {"page_token": "x"}}, "filter.pageToken"),
        ({"filter": {"customer_id": "nonsense"}}, "filter.customerId"),
    ],
)
async def test_nonsense_is_said_and_makes_no_job(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers, tmp_path: Path, request_: dict[str, Any], field: str
) -> None:
    async with exporting(rooms, "commerce", sealer, identifiers, tmp_path) as at:
        with pytest.raises(Invalid) as refused:
            await at.ask(BOSS, orders_pb.CreateOrderExportRequest(**request_))
        assert refused.value.field == field
        assert await at.room.rows("select 1 from jobs union all select 1 from files") == []


async def test_the_same_key_is_the_same_job(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers, tmp_path: Path
) -> None:
    async with exporting(rooms, "commerce", sealer, identifiers, tmp_path) as at:
        made = set()
        for _ in range(2):
            caller.enter(dict(BOSS.metadata()))
            idempotency.enter("twice")
            made.add((await at.servicer.CreateOrderExport(orders_pb.CreateOrderExportRequest(), None)).job.job_id)
        idempotency.enter("")
        assert len(made) == 1


async def test_orders_with_their_money_and_products(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers, tmp_path: Path
) -> None:
    async with exporting(rooms, "commerce", sealer, identifiers, tmp_path) as at:
        await at.room.pool.execute(
            """
            insert into orders (corp_id, mall_id, order_id, detail_rank, currency, total_fen, created_at)
            select $1, 'yz', 'E' || n, 'r', 'CNY', n * 101, timestamptz '2026-01-31 20:00+00' + n * interval '1 s'
            from generate_series(1, 450) n
            """,
            CORP,
        )
        await at.room.pool.execute(
            """
            insert into order_lines (corp_id, mall_id, order_id, line_id, product_id, title, quantity, paid_fen)
            values ($1, 'yz', 'E450', 'a', 'p', '=茶', 2, 1), ($1, 'yz', 'E450', 'b', 'q', '杯', 1, 1)
            """,
            CORP,
        )
        lines = await at.export(BOSS, orders_pb.CreateOrderExportRequest())
        assert [line[1] for line in lines[1:]] == [f"E{n}" for n in range(450, 0, -1)]
        newest = dict(zip(lines[0], lines[1], strict=True))
        assert (newest["订单金额"], newest["币种"], newest["下单时间"]) == ("454.50", "CNY", "2026-02-01 04:07:30")
        assert newest["商品"] == "'=茶 x2; 杯 x1"
        nobody = await at.export(Caller(CORP, "anna", "FRONTLINE"), orders_pb.CreateOrderExportRequest())
        assert len(nobody) == 1
