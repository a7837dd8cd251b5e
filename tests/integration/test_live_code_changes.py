"""A live code that is printed already: its employees change, it is paused, resumed and archived; the QR stays."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from bihuan.acquisition.v1 import live_code_service_pb2 as pb
from bihuan.identity.v1.facts_pb2 import StaffRenamed
from hypothesis import given, settings
from hypothesis import strategies as st
from nats.js import JetStreamContext

from acquisition.adapters.wecom import WeComContactWays
from acquisition.app.live_codes import KIND, UPDATE_KIND, LiveCodes
from acquisition.consumers import DURABLES
from acquisition.db.channels import ensure_default
from acquisition.domain.touches import Code, route
from acquisition.rpc.live_codes import LiveCodeServicer
from chassis.effects import EffectWorker, OneByOne
from chassis.errors import Conflict, Invalid
from chassis.idempotency import IdempotentRequests
from chassis.kernel import caller
from chassis.kernel.corps import App, Corp, Corps
from chassis.kernel.identifiers import Identifiers
from chassis.moments import stamp
from chassis.sealing import Sealer
from chassis.wecom.client import WeComs
from tests import facts as f
from tests.conftest import CORP, Room, free_port, received

Rooms = Callable[..., Any]
RENAME = next(one for one in DURABLES if one.name == "acquisition-rename-on-staff-renamed")


class Desk:
    """The live codes of one corp, and the WeCom that they are made at. `answers`: what it says next to an update:
    an errcode, or None for an answer that is lost after it was done."""

    def __init__(self, room: Room, codes: LiveCodes, rpc: LiveCodeServicer, channel_id: str) -> None:
        self.room, self.rpc, self.channel_id = room, rpc, channel_id
        self.workers = [
            EffectWorker(room.pool, KIND, OneByOne(codes.perform), at_once=4),
            EffectWorker(room.pool, UPDATE_KIND, OneByOne(codes.perform_update), at_once=4),
        ]

    async def made(self, name: str, *userids: str) -> pb.LiveCode:
        request = pb.CreateLiveCodeRequest(channel_id=self.channel_id, name=name, userids=userids)
        code = (await self.rpc.CreateLiveCode(request, None)).live_code
        await self.work()
        return await self.read(code.live_code_id)

    async def read(self, live_code_id: str) -> pb.LiveCode:
        return (await self.rpc.GetLiveCode(pb.GetLiveCodeRequest(live_code_id=live_code_id), None)).live_code

    async def changed(self, code: pb.LiveCode, **fields: Any) -> pb.LiveCode:
        request = pb.UpdateLiveCodeRequest(live_code_id=code.live_code_id, **fields)
        return (await self.rpc.UpdateLiveCode(request, None)).live_code

    async def listed(self, **fields: Any) -> list[str]:
        return [one.name for one in (await self.rpc.ListLiveCodes(pb.ListLiveCodesRequest(**fields), None)).live_codes]

    async def work(self) -> None:
        """Everything that is due, until nothing is."""
        for _ in range(4):
            await self.room.pool.execute("update due_rows set due_at = now() where status = 'due'")
            for worker in self.workers:
                await worker.work()
                await worker.drain()


class WeCom:
    """Knows everybody but `nobody`."""

    def __init__(self) -> None:
        self.ways: dict[str, dict[str, Any]] = {}
        self.updates: list[dict[str, Any]] = []
        self.answers: list[int | None] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read() or b"{}")
        match request.match_info["api"].rpartition("/")[2]:
            case "gettoken":
                return web.json_response({"errcode": 0, "access_token": "t", "expires_in": 7200})
            case "add_contact_way" if "nobody" in body["user"]:
                return web.json_response({"errcode": 40003, "errmsg": "invalid userid"})
            case "add_contact_way":
                config_id = f"way{len(self.ways)}"
                self.ways[config_id] = {"state": body["state"], "remark": body["remark"], "user": body["user"]}
                return web.json_response({"errcode": 0, "config_id": config_id, "qr_code": f"https://qr/{config_id}"})
            case "update_contact_way":
                self.updates.append(body)
                errcode = self.answers.pop(0) if self.answers else 0
                if not errcode:
                    self.ways[body["config_id"]] |= {"remark": body["remark"], "user": body["user"]}
                if errcode is None:
                    assert request.transport is not None
                    request.transport.abort()
                return web.json_response({"errcode": errcode or 0, "errmsg": "said so"})
        raise web.HTTPNotFound


@asynccontextmanager
async def desk(
    rooms: Rooms, jetstream: JetStreamContext, sealer: Sealer, identifiers: Identifiers
) -> AsyncIterator[tuple[Desk, WeCom]]:
    wecom, app, port = WeCom(), web.Application(), free_port()
    app.router.add_route("*", "/cgi-bin/{api:.+}", wecom.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    of_corp = App(agent_id=1, secret="s", callback_token="t", callback_aes_key="k" * 43)
    corp = Corp(corp_id=CORP, name="n", api_base=f"http://127.0.0.1:{port}", oauth_base="http://x", app=(of_corp,))
    wecoms = WeComs(jetstream, sealer, Corps((corp,)))
    caller.enter({"bihuan-corp": CORP, "bihuan-userid": "boss", "bihuan-role": "OPERATOR"})
    async with rooms("acquisition") as room:
        codes = LiveCodes(room.outbox, WeComContactWays(wecoms))
        once = IdempotentRequests(room.outbox, sealer, identifiers)
        channel_id = (await ensure_default(room.pool, [CORP]))[CORP]
        yield Desk(room, codes, LiveCodeServicer(room.pool, codes, once, lambda: None), channel_id), wecom
    await wecoms.close()
    await runner.cleanup()


@pytest.fixture
async def at_desk(
    rooms: Rooms, jetstream: JetStreamContext, sealer: Sealer, identifiers: Identifiers
) -> AsyncIterator[tuple[Desk, WeCom]]:
    async with desk(rooms, jetstream, sealer, identifiers) as made:
        # A fixture has a context of its own.
        yield made


def as_operator() -> None:
    caller.enter({"bihuan-corp": CORP, "bihuan-userid": "boss", "bihuan-role": "OPERATOR"})


async def test_new_employees_stand_behind_the_same_printed_code(at_desk: tuple[Desk, WeCom]) -> None:
    as_operator()
    desk, wecom = at_desk
    code = await desk.made("门店", "anna")
    after = await desk.changed(code, userids=["Bert", "anna", "bert"], revision=code.revision)
    assert (list(after.userids), after.syncing, after.revision) == (["bert", "anna"], True, code.revision + 1)
    await desk.work()
    synced = await desk.read(code.live_code_id)
    assert (synced.syncing, synced.qr_code, synced.config_id) == (False, code.qr_code, code.config_id)
    assert wecom.ways[code.config_id]["user"] == ["bert", "anna"]
    await desk.work()
    assert len(wecom.updates) == 1


async def test_what_changes_before_wecom_has_made_the_code_is_made_so(at_desk: tuple[Desk, WeCom]) -> None:
    as_operator()
    desk, wecom = at_desk
    request = pb.CreateLiveCodeRequest(channel_id=desk.channel_id, name="一", userids=["anna"])
    code = (await desk.rpc.CreateLiveCode(request, None)).live_code
    after = await desk.changed(code, name="二")
    assert not after.syncing
    await desk.work()
    made = await desk.read(code.live_code_id)
    assert wecom.ways[made.config_id]["remark"] == "二"
    assert not made.syncing


async def test_a_lost_answer_is_asked_for_again(at_desk: tuple[Desk, WeCom]) -> None:
    as_operator()
    desk, wecom = at_desk
    code = await desk.made("门店", "anna")
    wecom.answers = [None, -1, 0]
    await desk.changed(code, userids=["bert"])
    await desk.work()
    assert not (await desk.read(code.live_code_id)).syncing
    assert [one["user"] for one in wecom.updates] == [["bert"]] * 3


async def test_a_refusal_is_shown_and_the_next_change_tries_anew(at_desk: tuple[Desk, WeCom]) -> None:
    as_operator()
    desk, wecom = at_desk
    code = await desk.made("门店", "anna")
    wecom.answers = [40098]
    await desk.changed(code, userids=["nobody"])
    await desk.work()
    refused = await desk.read(code.live_code_id)
    assert (refused.syncing, refused.status) == (True, pb.LIVE_CODE_STATUS_ACTIVE)
    assert "40098" in refused.failure
    after = await desk.changed(refused, userids=["anna"])
    assert (after.syncing, after.failure) == (False, "")
    await desk.work()
    assert wecom.ways[code.config_id]["user"] == ["anna"]


@pytest.mark.parametrize("paused", [False, True])
async def test_a_code_that_wecom_refused_is_made_after_it_was_mended(
    at_desk: tuple[Desk, WeCom], *, paused: bool
) -> None:
    as_operator()
    desk, wecom = at_desk
    code = await desk.made("门店", "nobody")
    assert (code.status, "40003" in code.failure) == (pb.LIVE_CODE_STATUS_FAILED, True)
    if paused:
        await desk.rpc.PauseLiveCode(pb.PauseLiveCodeRequest(live_code_id=code.live_code_id), None)
    after = await desk.changed(code, userids=["anna"])
    expected = pb.LIVE_CODE_STATUS_PAUSED if paused else pb.LIVE_CODE_STATUS_PENDING
    assert (after.status, after.failure) == (expected, "")
    await desk.work()
    made = await desk.read(code.live_code_id)
    assert made.status == (pb.LIVE_CODE_STATUS_PAUSED if paused else pb.LIVE_CODE_STATUS_ACTIVE)
    assert wecom.ways == {made.config_id: {"state": code.state, "remark": "门店", "user": ["anna"]}}


async def test_a_renamed_employee_needs_no_telling(at_desk: tuple[Desk, WeCom]) -> None:
    as_operator()
    desk, wecom = at_desk
    code = await desk.made("门店", "anna")
    await desk.changed(code, userids=["bert", "carl"])
    await desk.work()
    told = len(wecom.updates)
    later = StaffRenamed(corp_id=CORP, former_userid="bert", userid="berta", at=stamp(f.at(10**9)))
    await desk.room.take(RENAME, [received(later, "rename")])
    renamed = await desk.read(code.live_code_id)
    assert (list(renamed.userids), renamed.syncing) == (["berta", "carl"], False)
    await desk.work()
    assert len(wecom.updates) == told


async def test_a_paused_code_is_resumed_and_an_archived_one_hidden(at_desk: tuple[Desk, WeCom]) -> None:
    as_operator()
    desk, _ = at_desk
    code = await desk.made("门店", "anna")
    one = pb.PauseLiveCodeRequest(live_code_id=code.live_code_id)
    paused = (await desk.rpc.PauseLiveCode(one, None)).live_code
    assert (await desk.rpc.PauseLiveCode(one, None)).live_code == paused
    again = pb.ResumeLiveCodeRequest(live_code_id=code.live_code_id)
    resumed = (await desk.rpc.ResumeLiveCode(again, None)).live_code
    assert (resumed.status, resumed.HasField("paused_at"), resumed.qr_code) == (
        pb.LIVE_CODE_STATUS_ACTIVE,
        False,
        code.qr_code,
    )
    archive = pb.ArchiveLiveCodeRequest(live_code_id=code.live_code_id)
    archived = (await desk.rpc.ArchiveLiveCode(archive, None)).live_code
    assert archived.status == pb.LIVE_CODE_STATUS_PAUSED
    assert (await desk.listed(), await desk.listed(archived=True)) == ([], ["门店"])
    with pytest.raises(Conflict):
        await desk.rpc.ResumeLiveCode(again, None)
    restore = pb.RestoreLiveCodeRequest(live_code_id=code.live_code_id)
    assert (await desk.rpc.RestoreLiveCode(restore, None)).live_code.status == pb.LIVE_CODE_STATUS_PAUSED
    assert await desk.listed() == ["门店"]


async def test_a_list_is_filtered(at_desk: tuple[Desk, WeCom]) -> None:
    as_operator()
    desk, _ = at_desk
    await desk.made("东门", "anna")
    west = await desk.made("西门", "bert", "anna")
    await desk.rpc.PauseLiveCode(pb.PauseLiveCodeRequest(live_code_id=west.live_code_id), None)
    assert await desk.listed(userid="BERT") == ["西门"]
    assert await desk.listed(status=pb.LIVE_CODE_STATUS_ACTIVE) == ["东门"]
    assert await desk.listed(name="门", order_by="created_at desc") == ["西门", "东门"]
    assert await desk.listed(channel_id=f.uid("channel", 1)) == []


async def test_bad_changes_change_nothing(at_desk: tuple[Desk, WeCom]) -> None:
    as_operator()
    desk, wecom = at_desk
    code = await desk.made("门店", "anna")
    for fields, field in (
        ({}, "body"),
        ({"name": "x" * 31}, "name"),
        ({"userids": [" "]}, "userids"),
        ({"userids": [f"u{n}" for n in range(101)]}, "userids"),
    ):
        with pytest.raises(Invalid) as refused:
            await desk.changed(code, **fields)
        assert refused.value.field == field
    with pytest.raises(Conflict):
        await desk.changed(code, name="新", revision=code.revision + 1)
    await desk.work()
    assert (await desk.read(code.live_code_id), wecom.updates) == (code, [])


@given(
    switches=st.lists(st.integers(0, 40), min_size=1, max_size=6, unique=True).map(sorted), added=st.integers(-1, 41)
)
@settings(max_examples=200)
def test_an_add_is_stale_if_and_only_if_it_happened_in_a_pause(switches: list[int], added: int) -> None:
    """Whenever it arrives: the code's past pauses are remembered. The first switch pauses, the next one resumes."""
    moments = [f.at(second) for second in switches]
    pauses = list(zip(moments[0::2], moments[1::2], strict=False))
    paused_at = moments[-1] + timedelta(milliseconds=700) if len(moments) % 2 else None
    code = Code("code", "channel", paused_at, pauses)
    switched = sum(second <= added for second in switches)
    assert route("s", {"s": code}, f.at(added)) == ((None, "STALE") if switched % 2 else (code, None))
