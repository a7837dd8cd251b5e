"""Channels over their RPCs: listed, renamed, archived."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bihuan.acquisition.v1 import channel_service_pb2 as pb
from bihuan.staff.v1.facts_pb2 import NounChanged
from hypothesis import given, settings
from hypothesis import strategies as st

from acquisition.app.channels import Channels
from acquisition.db.channels import ensure_default
from acquisition.rpc.channels import ChannelServicer
from chassis.errors import AlreadyExists, Conflict, Invalid, NotFound
from chassis.facts import subject_of
from chassis.idempotency import IdempotentRequests
from chassis.kernel import caller
from chassis.kernel.identifiers import Identifiers
from chassis.sealing import Sealer
from tests import facts as f
from tests.conftest import CORP, Room

Rooms = Callable[..., Any]


def servicer(room: Room, sealer: Sealer, identifiers: Identifiers) -> ChannelServicer:
    caller.enter({"bihuan-corp": CORP, "bihuan-userid": "boss", "bihuan-role": "OPERATOR"})
    once = IdempotentRequests(room.outbox, sealer, identifiers)
    return ChannelServicer(room.pool, Channels(room.outbox), once, lambda: None)


async def created(channels: ChannelServicer, name: str) -> pb.Channel:
    return (await channels.CreateChannel(pb.CreateChannelRequest(name=name), None)).channel


async def changed(channels: ChannelServicer, channel_id: str, **fields: Any) -> pb.Channel:
    return (await channels.UpdateChannel(pb.UpdateChannelRequest(channel_id=channel_id, **fields), None)).channel


async def listed(channels: ChannelServicer, **fields: Any) -> list[str]:
    names, token = [], ""
    while True:
        request = pb.ListChannelsRequest(page_token=token, **fields)
        answer = await channels.ListChannels(request, None)
        names += [one.name for one in answer.channels]
        token = answer.next_page_token
        if not token:
            return names


async def test_a_list_is_sorted_and_filtered(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    async with rooms("acquisition") as room:
        channels = servicer(room, sealer, identifiers)
        for name in ("Shop b", "shop a", "展会", "100%", "shop c"):
            await created(channels, name)
        assert await listed(channels, page_size=2) == ["Shop b", "shop a", "展会", "100%", "shop c"]
        assert await listed(channels, page_size=2, order_by="created_at desc", name="SHOP") == [
            "shop c",
            "shop a",
            "Shop b",
        ]
        by_name = await listed(channels, order_by="name")
        assert await listed(channels, page_size=1, order_by="name desc") == by_name[::-1]
        assert await listed(channels, name="%") == ["100%"]
        assert await listed(channels, name="_") == []
        answer = await channels.ListChannels(pb.ListChannelsRequest(page_size=1, name="shop", with_total=True), None)
        assert (answer.total.count, answer.total.at_least) == (3, False)


@settings(max_examples=10)
@given(size=st.integers(1, 4), names=st.permutations("abcdefg"), descending=st.booleans(), at=st.integers(0, 6))
async def test_a_page_survives_what_is_inserted_meanwhile(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers, size: int, names: list[str], descending: bool, at: int
) -> None:
    async with rooms("acquisition") as room:
        channels = servicer(room, sealer, identifiers)
        for name in names:
            await created(channels, name)
        seen, token = [], ""
        order = "name desc" if descending else "name"
        while True:
            request = pb.ListChannelsRequest(page_size=size, page_token=token, order_by=order)
            answer = await channels.ListChannels(request, None)
            seen += [one.name for one in answer.channels]
            if len(seen) >= at and len(names) == 7:
                names = [*names, seen[-1] + "x"] if seen else names
                await created(channels, names[-1])
            token = answer.next_page_token
            if not token:
                break
        assert len(seen) == len(set(seen))
        assert [name for name in seen if name in "abcdefg"] == sorted("abcdefg", reverse=descending)


async def test_a_change_of_what_was_changed_meanwhile_is_refused(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers
) -> None:
    async with rooms("acquisition") as room:
        channels = servicer(room, sealer, identifiers)
        one = await created(channels, "一")
        after = await changed(channels, one.channel_id, name=" 二 ", revision=one.revision)
        assert (after.name, after.revision) == ("二", one.revision + 1)
        with pytest.raises(Conflict) as refused:
            await changed(channels, one.channel_id, name="三", revision=one.revision)
        assert refused.value.field == "revision"
        assert (await changed(channels, one.channel_id, name="二")).revision == after.revision


async def test_a_name_is_one_channels_even_an_archived_ones(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers
) -> None:
    async with rooms("acquisition") as room:
        channels = servicer(room, sealer, identifiers)
        one, other = await created(channels, "一"), await created(channels, "二")
        await channels.ArchiveChannel(pb.ArchiveChannelRequest(channel_id=one.channel_id), None)
        with pytest.raises(AlreadyExists):
            await changed(channels, other.channel_id, name="一")
        with pytest.raises(AlreadyExists):
            await created(channels, "一")


async def test_an_archived_channel_is_hidden_until_it_is_restored(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers
) -> None:
    async with rooms("acquisition") as room:
        channels = servicer(room, sealer, identifiers)
        one = await created(channels, "一")
        request = pb.ArchiveChannelRequest(channel_id=one.channel_id)
        archived = (await channels.ArchiveChannel(request, None)).channel
        assert archived.HasField("archived_at")
        assert (await channels.ArchiveChannel(request, None)).channel == archived
        assert (await listed(channels), await listed(channels, archived=True)) == ([], ["一"])
        restored = (await channels.RestoreChannel(pb.RestoreChannelRequest(channel_id=one.channel_id), None)).channel
        assert not restored.HasField("archived_at")
        assert await listed(channels) == ["一"]


async def test_the_default_channel_cannot_be_archived(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    async with rooms("acquisition") as room:
        channels = servicer(room, sealer, identifiers)
        channel_id = (await ensure_default(room.pool, [CORP]))[CORP]
        with pytest.raises(Conflict):
            await channels.ArchiveChannel(pb.ArchiveChannelRequest(channel_id=channel_id), None)


async def test_bad_requests_are_named_by_their_field(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    async with rooms("acquisition") as room:
        channels = servicer(room, sealer, identifiers)
        one = await created(channels, "一")
        for request, field in (
            (pb.UpdateChannelRequest(channel_id=one.channel_id), "body"),
            (pb.UpdateChannelRequest(channel_id=one.channel_id, name=" "), "name"),
            (pb.UpdateChannelRequest(channel_id="x", name="y"), "channelId"),
        ):
            with pytest.raises(Invalid) as refused:
                await channels.UpdateChannel(request, None)
            assert refused.value.field == field
        with pytest.raises(NotFound):
            await changed(channels, f.uid("channel", 9), name="y")
        with pytest.raises(Invalid) as refused:
            await listed(channels, order_by="revision")
        assert refused.value.field == "orderBy"


async def test_open_pages_are_told_of_every_change(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    async with rooms("acquisition") as room:
        channels = servicer(room, sealer, identifiers)
        one = await created(channels, "一")
        told = await changes_of(room)
        assert told == [("channels", [one.channel_id])]
        await changed(channels, one.channel_id, name="一")
        assert await changes_of(room) == told


async def changes_of(room: Room) -> list[tuple[str, list[str]]]:
    """The changes of nouns that the transactions so far have stated."""
    rows = await room.rows(
        """
        select unnest(subjects) as subject, unnest(payloads) as payload
        from outbox_batches
        order by created_at
        """
    )
    changes = [NounChanged.FromString(row["payload"]) for row in rows if subject_of(NounChanged) in str(row["subject"])]
    return [(one.noun, list(one.ids)) for one in changes]
