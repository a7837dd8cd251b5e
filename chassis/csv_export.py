"""A list as a CSV file, written by a job, page by page, through the very RPC that shows the list: with its filters, its
scope and its masks."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import paging
from chassis.errors import Invalid
from chassis.idempotency import IdempotentRequests
from chassis.jobs.runner import Members, Running, Step
from chassis.jobs.worker import JobKind
from chassis.kernel.caller import caller
from chassis.kernel.jobs import as_job
from chassis.outbox import Tx
from chassis.service import Service

Answer = TypeVar("Answer", bound=Message)
Cell: TypeAlias = str | int | Decimal
LANGUAGES = ("zh", "en")
# Excel takes a file without it for one in the system's own code page.
BOM = "\ufeff"
# What spreadsheets take for the beginning of a formula; wide signs where they are set to Chinese.
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
PAGE_SIZE = 200
# One step: as many pages as fit, one at least.
STEP_SECONDS = 1.0
STEP_ROWS = 5000


@dataclass(frozen=True)
class CsvExport:
    """A runner (chassis.jobs.runner). `request`: the RPC's export request, with the list's own as `filter`.

    `list_rows` answers it; its rows stand in the field `rows`. `cells` makes the line of one row of a corp, in
    the order of the `headings`, which are there for each language.
    """

    request: type[Message]
    list_rows: Callable[[Any, Any], Awaitable[Any]]
    rows: str
    headings: Mapping[str, Sequence[str]]
    cells: Callable[[str, Any], Sequence[Cell]]
    name: str
    errors: tuple[str, str] | None = None

    @property
    def result(self) -> tuple[str, str]:
        return f"{self.name}.csv", "text/csv; charset=utf-8"

    async def check(self, request: Any) -> None:
        """Raises Invalid for what the list would refuse, before there is a job."""
        if request.filter.page_size or request.filter.page_token:
            field = "filter.pageSize" if request.filter.page_size else "filter.pageToken"
            raise Invalid("FIELD_UNKNOWN", "an export has no pages", field=field, expected="nothing")
        if request.language not in ("", *LANGUAGES):
            raise Invalid("LANGUAGE_UNKNOWN", field="language", expected=" or ".join(LANGUAGES))
        probe = self._page(request, "")
        probe.page_size = 1
        try:
            await self.list_rows(probe, None)
        except Invalid as error:
            raise Invalid(
                error.reason, error.message, field=f"filter.{error.field}", expected=error.expected
            ) from error

    async def step(self, job: Running) -> Step:
        request = self.request.FromString(job.request)
        text = io.StringIO(newline="")
        lines = csv.writer(text)
        position, done, total = job.position, job.done, job.total
        if not position:
            text.write(BOM)
            lines.writerow(self.headings[request.language or LANGUAGES[0]])  # type: ignore[attr-defined]
        clock = asyncio.get_running_loop().time
        began, first = clock(), done
        while True:
            answer = await self.list_rows(self._page(request, position, with_total=not position), None)
            if not position:
                total = _total(answer)
            found = getattr(answer, self.rows)
            lines.writerows([_cell(one) for one in self.cells(job.creator.corp_id, row)] for row in found)
            position, done = answer.next_page_token, done + len(found)
            if not position or done - first >= STEP_ROWS or clock() - began > STEP_SECONDS:
                return Step(position or None, done, total, result=text.getvalue().encode())

    def _page(self, request: Any, token: str, *, with_total: bool = False) -> Any:
        page = type(request.filter)()
        page.CopyFrom(request.filter)
        page.page_size, page.page_token = PAGE_SIZE, token
        if with_total and "with_total" in page.DESCRIPTOR.fields_by_name:
            page.with_total = True
        return page


def _total(answer: Any) -> int | None:
    """As the list counts; None where it does not, or stops counting before the end."""
    if "total" not in answer.DESCRIPTOR.fields_by_name or answer.total.at_least:
        return None
    count: int = answer.total.count
    return count


def moment(at: Timestamp | None, zone: ZoneInfo) -> str:
    """As people there write it; empty for none."""
    return at.ToDatetime(UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if at is not None else ""


def _cell(value: Cell) -> Cell:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


class Export:
    """What an RPC that begins an export calls."""

    def __init__(self, kind: JobKind, runner: CsvExport, once: IdempotentRequests) -> None:
        self._kind, self._runner, self._once = kind, runner, once

    async def __call__(self, request: Any, answer: type[Answer]) -> Answer:
        """`answer` holds the job as `job`. Raises Invalid for what cannot be listed, Limited for too many jobs."""
        me, title = caller(), paging.text(request.title, "title", most=100, least=0)
        await self._runner.check(request)

        async def create(tx: Tx) -> Answer:
            row = await self._kind.create(tx, me, request, title)
            return answer(job=as_job(self._kind.service, row))

        return await self._once(request, create, answer)


def offer(service: Service, members: Members, kind: str, runner: CsvExport) -> Export:
    """The export as a job of this service."""
    # What the release before was asked for is done, too. It does none of ours: it knows fewer filters.
    service.job(kind, runner, members)
    return Export(service.job(kind, runner, members, release=2), runner, service.once)
