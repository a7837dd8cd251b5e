"""Attachments of welcomes: checked when they come, known to WeCom ahead, and left out where they cannot be had."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import BodyPartReader, web
from aiohttp.test_utils import TestServer
from bihuan.engagement.v1 import welcome_service_pb2 as pb
from nats.js import JetStreamContext

from chassis.blobs import Blobs
from chassis.errors import Invalid
from chassis.files import Files
from chassis.idempotency import IdempotentRequests
from chassis.kernel import caller
from chassis.kernel.corps import App, Corp, Corps
from chassis.kernel.identifiers import Identifiers
from chassis.sealing import Sealer
from chassis.wecom.client import Upload, WeComAway, WeComError, WeComs
from engagement.adapters.wecom import WeComVoice
from engagement.app.media import LEASE, Media
from engagement.app.welcome_files import WELCOME_FILE, WELCOME_IMAGE
from engagement.app.welcomes import Welcomes
from engagement.consumers import Handlers
from engagement.db import media
from engagement.rpc.welcome_lists import WelcomeLists
from engagement.rpc.welcomes import WelcomeServicer
from tests import facts as f
from tests.conftest import CORP, Room
from tests.integration.test_welcomes import AWAY, Customers, due, plan, send_all, told

Rooms = Callable[..., Any]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
PDF = b"%PDF-1.7"
LINK = pb.WelcomeLink(title="商城", url="https://shop.example.com")
LONG_AGO = timedelta(seconds=8)


class Shelf:
    """media/upload: answers by a script (an errcode or AWAY), then takes everything."""

    def __init__(self, *script: object) -> None:
        self.script = list(script)
        self.taken: list[tuple[str, str, bytes]] = []

    async def upload(self, corp_id: str, kind: str, file: Upload, seconds: float) -> str:
        answer = self.script.pop(0) if self.script else 0
        if answer == AWAY:
            raise WeComAway("no answer")
        if answer:
            raise WeComError("media/upload", int(str(answer)), "")
        self.taken.append((kind, file.name, file.content))
        return f"media {len(self.taken)}"


class AtOnce(Shelf):
    """Answers nobody before all have come."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.all_here = asyncio.Barrier(count)

    async def upload(self, corp_id: str, kind: str, file: Upload, seconds: float) -> str:
        await self.all_here.wait()
        return await super().upload(corp_id, kind, file, seconds)


@dataclass
class House:
    room: Room
    files: Files
    rules: WelcomeServicer
    sealer: Sealer
    handlers: Handlers
    shelf: Shelf = field(default_factory=Shelf)

    async def upload(self, purpose: str = "welcome-image", name: str = "海报.png", content: bytes = PNG) -> str:
        async def pieces() -> AsyncIterator[bytes]:
            yield content

        return (await self.files.upload(caller.caller(), purpose, name, len(content), pieces())).file_id

    async def work(self) -> None:
        await self.room.pool.execute("update welcome_media set try_at = now()")
        while await Media(self.room.pool, self.files, self.shelf).upload_due():
            pass

    async def create(self, *attachments: pb.WelcomeAttachment, **more: Any) -> pb.WelcomeRule:
        request = pb.CreateWelcomeRuleRequest(text="您好", attachments=attachments, **more)
        return (await self.rules.CreateWelcomeRule(request, None)).welcome_rule

    async def welcome(self, customers: Customers, *, ago: timedelta = timedelta(0)) -> pb.Welcome:
        """Of a new friend who came so long ago."""
        count = len(await self.room.rows("select 1 from welcomes"))
        arrived = datetime.now(UTC) - ago
        await plan(self.room, self.handlers, told(self.sealer, f"c{count}", seconds=60 * count, arrived=arrived))
        await send_all(self.room, customers, self.sealer)
        asked = pb.ListWelcomesRequest(outcomes=[pb.WELCOME_OUTCOME_SENT], userid="anna")
        return (await WelcomeLists(self.room.pool, self.sealer).answer(asked)).welcomes[0]


Open = Callable[[], Any]


@pytest.fixture
def house(rooms: Rooms, sealer: Sealer, identifiers: Identifiers, handlers: Handlers, tmp_path: Path) -> Open:
    @asynccontextmanager
    async def opened() -> AsyncIterator[House]:
        async with rooms("engagement") as room:
            caller.enter({"bihuan-corp": CORP, "bihuan-userid": "boss", "bihuan-role": "ADMIN"})
            files = Files(room.pool, Blobs(tmp_path.as_uri(), "engagement", sealer), sealer)
            files.add(WELCOME_IMAGE)
            files.add(WELCOME_FILE)
            once = IdempotentRequests(room.outbox, sealer, identifiers)
            servicer = WelcomeServicer(room.outbox, once, sealer, files, lambda: None)
            yield House(room, files, servicer, sealer, handlers)

    return opened


def image(file_id: str) -> pb.WelcomeAttachment:
    return pb.WelcomeAttachment(image=pb.WelcomeFile(file_id=file_id))


async def test_a_welcome_carries_what_its_rule_says(house: Open) -> None:
    customers = Customers()
    async with house() as here:
        picture = await here.upload()
        file = await here.upload("welcome-file", "价目表.pdf", PDF)
        shop = pb.WelcomeMiniProgram(title="商城", app_id="wx1", page="pages/index", picture_file_id=picture)
        wanted = [
            image(picture),
            pb.WelcomeAttachment(file=pb.WelcomeFile(file_id=file)),
            pb.WelcomeAttachment(mini_program=shop),
            pb.WelcomeAttachment(link=LINK),
        ]
        rule = await here.create(*wanted, link=LINK)
        assert list(rule.attachments) == wanted
        await here.work()
        # Once, though two attachments show the picture.
        assert sorted(here.shelf.taken) == [("file", "价目表.pdf", PDF), ("image", "海报.png", PNG)]
        names = {name: f"media {number}" for number, (_, name, _) in enumerate(here.shelf.taken, start=1)}
        sent = await here.welcome(customers)
        assert sent.attachments_left_out == 0
        link = {"msgtype": "link", "link": {"title": "商城", "url": "https://shop.example.com"}}
        assert customers.attachments == [
            [
                link,
                {"msgtype": "image", "image": {"media_id": names["海报.png"]}},
                {"msgtype": "file", "file": {"media_id": names["价目表.pdf"]}},
                {
                    "msgtype": "miniprogram",
                    "miniprogram": {
                        "title": "商城",
                        "appid": "wx1",
                        "page": "pages/index",
                        "pic_media_id": names["海报.png"],
                    },
                },
                link,
            ]
        ]


@pytest.mark.parametrize("answer", [AWAY, -1, 40004, 45001])
async def test_a_welcome_goes_without_what_cannot_be_had(house: Open, answer: object) -> None:
    """And says so; the next one has it."""
    customers = Customers()
    async with house() as here:
        here.shelf.script = [answer]
        await here.create(image(await here.upload()), link=LINK)
        await Media(here.room.pool, here.files, here.shelf).upload_due()
        sent = await here.welcome(customers, ago=LONG_AGO)
        assert sent.attachments_left_out == 1
        assert [one["msgtype"] for one in customers.attachments[0]] == ["link"]
        await here.work()
        assert (await here.welcome(customers)).attachments_left_out == 0
        assert [one["msgtype"] for one in customers.attachments[1]] == ["link", "image"]


async def test_a_refused_file_keeps_no_welcome_waiting(house: Open) -> None:
    customers = Customers()
    async with house() as here:
        here.shelf.script = [40004]
        await here.create(image(await here.upload()))
        await Media(here.room.pool, here.files, here.shelf).upload_due()
        assert (await here.welcome(customers)).attachments_left_out == 1


async def test_a_welcome_waits_a_little_for_a_file_on_its_way(house: Open) -> None:
    customers = Customers()
    async with house() as here:
        await here.create(image(await here.upload()))
        await plan(here.room, here.handlers, told(here.sealer, "c"))
        assert await Welcomes(here.room.outbox, customers, here.sealer).prepare(await due(here.room)) == []
        assert customers.calls == []
        await here.work()
        await send_all(here.room, customers, here.sealer)
        assert customers.attachments == [[{"msgtype": "image", "image": {"media_id": "media 1"}}]]


async def test_media_that_wecom_lost_are_left_out_and_brought_anew(house: Open) -> None:
    customers = Customers(40007)
    async with house() as here:
        await here.create(image(await here.upload()), link=LINK)
        await here.work()
        sent = await here.welcome(customers)
        assert (sent.attachments_left_out, sent.outcome) == (1, pb.WELCOME_OUTCOME_SENT)
        assert [one["msgtype"] for one in customers.attachments[0]] == ["link"]
        await Media(here.room.pool, here.files, here.shelf).upload_due()
        assert (await here.welcome(customers)).attachments_left_out == 0
        assert customers.attachments[1][1] == {"msgtype": "image", "image": {"media_id": "media 2"}}


async def test_media_are_renewed_before_they_end(house: Open) -> None:
    async with house() as here:
        await here.create(image(await here.upload()))
        media = Media(here.room.pool, here.files, here.shelf)
        assert [await media.upload_due() for _ in range(2)] == [1, 0]
        (row,) = await here.room.rows("select expires_at - try_at as ahead, try_at - now() as left_ from welcome_media")
        assert row["ahead"] == timedelta(days=1)
        await here.room.pool.execute("update welcome_media set try_at = now(), expires_at = now() - interval '1 s'")
        assert [await media.upload_due() for _ in range(2)] == [1, 0]
        assert len(here.shelf.taken) == 2


async def test_only_rules_that_apply_keep_their_files_at_wecom(house: Open) -> None:
    async with house() as here:
        rule = await here.create(image(await here.upload()))
        rule_id = rule.welcome_rule_id
        await here.rules.ArchiveWelcomeRule(pb.ArchiveWelcomeRuleRequest(welcome_rule_id=rule_id), None)
        await here.work()
        assert here.shelf.taken == []
        back = await here.rules.RestoreWelcomeRule(pb.RestoreWelcomeRuleRequest(welcome_rule_id=rule_id), None)
        assert back.welcome_rule.attachments == rule.attachments
        await here.work()
        assert len(here.shelf.taken) == 1


async def test_files_of_one_corp_hold_up_no_others(house: Open) -> None:
    """Its many files come in turns with others' and at once: a slow WeCom takes no file beyond its lease."""
    async with house() as h:
        await h.room.pool.execute(
            """
            insert into welcome_rules (corp_id, welcome_rule_id, channel_id, text, attachments)
            select
                corp_id, gen_random_uuid(), gen_random_uuid(), '您好',
                jsonb_build_array(jsonb_build_object('msgtype', 'image', 'file_id', gen_random_uuid()))
            from unnest(array['ww-a', 'ww-a', 'ww-a', 'ww-a', 'ww-a', 'ww-b']) as corp_id
            """
        )
        async with h.room.pool.acquire() as connection:
            assert {corp_id for corp_id, _, _ in await media.claim(connection, LEASE, 2)} == {"ww-a", "ww-b"}
        await h.room.pool.execute("delete from welcome_rules")
        for content in (PNG, PNG + b"2"):
            await h.create(image(await h.upload(content=content)), channel_id=str(uuid4()))
        h.shelf = AtOnce(2)
        assert await asyncio.wait_for(Media(h.room.pool, h.files, h.shelf).upload_due(), 5) == 2


async def test_attachments_are_replaced_or_taken_away(house: Open) -> None:
    async with house() as here:
        one, other = await here.upload(), await here.upload()
        rule = await here.create(image(one))

        async def changed(**fields: Any) -> pb.WelcomeRule:
            request = pb.UpdateWelcomeRuleRequest(welcome_rule_id=rule.welcome_rule_id, **fields)
            return (await here.rules.UpdateWelcomeRule(request, None)).welcome_rule

        assert await changed(attachments=[image(one)]) == rule
        assert list((await changed(text="二")).attachments) == [image(one)]
        assert list((await changed(attachments=[image(other), image(one)])).attachments) == [image(other), image(one)]
        assert list((await changed(without_attachments=True)).attachments) == []
        await changed(attachments=[image(one)] * 9)
        for fields, field_name in (
            ({"link": LINK}, "attachments"),
            ({"attachments": [image(one)], "without_attachments": True}, "withoutAttachments"),
        ):
            with pytest.raises(Invalid) as refused:
                await changed(**fields)
            assert refused.value.field == field_name


@pytest.mark.parametrize(
    ("attachment", "field_name"),
    [
        (pb.WelcomeAttachment(), "attachments[1]"),
        (image("x"), "attachments[1].image.fileId"),
        (image(f.uid("nobody's")), "attachments[1].image.fileId"),
        (pb.WelcomeAttachment(link=pb.WelcomeLink(title="t", url="ftp://x")), "attachments[1].link.url"),
        (pb.WelcomeAttachment(link=pb.WelcomeLink(title="t", url="javascript:alert(1)")), "attachments[1].link.url"),
        (pb.WelcomeAttachment(link=pb.WelcomeLink(title="t", url="https://[::1")), "attachments[1].link.url"),
        (
            pb.WelcomeAttachment(link=pb.WelcomeLink(title="t", url="https://x", picture_url="http://a\u2100b/")),
            "attachments[1].link.pictureUrl",
        ),
        (
            pb.WelcomeAttachment(mini_program=pb.WelcomeMiniProgram(title="题" * 22, app_id="wx", page="p")),
            "attachments[1].miniProgram.title",
        ),
    ],
)
async def test_what_cannot_be_attached_is_refused_at_its_field(
    house: Open, attachment: pb.WelcomeAttachment, field_name: str
) -> None:
    async with house() as here:
        picture = await here.upload()
        with pytest.raises(Invalid) as refused:
            await here.create(image(picture), attachment)
        assert refused.value.field == field_name
        with pytest.raises(Invalid) as refused:
            await here.create(*[image(picture)] * 9, link=LINK)
        assert refused.value.field == "attachments"
        wrong = pb.WelcomeAttachment(file=pb.WelcomeFile(file_id=picture))
        with pytest.raises(Invalid) as refused:
            await here.create(wrong)
        assert refused.value.field == "attachments[0].file.fileId"
        assert await here.room.rows("select 1 from welcome_rules") == []


async def test_a_file_goes_to_wecom_as_a_form(jetstream: JetStreamContext, sealer: Sealer) -> None:
    """And again, whole, where the token was refused."""
    taken: list[tuple[str, str | None, str | None, str, bytes]] = []

    async def get_token(request: web.Request) -> web.Response:
        return web.json_response({"errcode": 0, "access_token": "t", "expires_in": 7200})

    async def upload(request: web.Request) -> web.Response:
        part = await (await request.multipart()).next()
        assert isinstance(part, BodyPartReader)
        content = bytes(await part.read())
        taken.append((request.query["type"], part.name, part.filename, part.headers["Content-Type"], content))
        if len(taken) == 1:
            return web.json_response({"errcode": 42001, "errmsg": "expired"})
        return web.json_response({"errcode": 0, "type": "image", "media_id": "m", "created_at": "1"})

    app = web.Application()
    app.router.add_get("/cgi-bin/gettoken", get_token)
    app.router.add_post("/cgi-bin/media/upload", upload)
    async with TestServer(app) as server:
        one = App(agent_id=1, secret="upload", callback_token="t", callback_aes_key="A" * 43)
        corp = Corp(corp_id=CORP, name="x", api_base=str(server.make_url("")), oauth_base="http://x", app=(one,))
        wecoms = WeComs(jetstream, sealer, Corps((corp,)))
        try:
            file = Upload('海报"1/2".png', "image/png", PNG)
            assert await WeComVoice(wecoms).upload(CORP, "image", file, 5) == "m"
        finally:
            await wecoms.close()
    assert taken == [("image", "media", "海报_1_2_.png", "image/png", PNG)] * 2
