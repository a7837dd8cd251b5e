"""After a replay nothing personal lies anywhere in the clear; and a key that is changed locks nobody out."""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from pathlib import Path

import asyncpg
import pytest

from chassis.sealing import Sealer
from deploy.local.client import Client
from deploy.local.home import SECOND, SERVICES
from deploy.local.story import replay, set_up
from deploy.sandbox.world import Corp
from tests.faults.campaign import Field
from tests.waiting import until

BUYERS = 40


def found_in(folder: Path, needles: dict[str, bytes]) -> set[str]:
    """Which needles lie in the files of a folder."""
    found = set()
    for file in folder.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            found |= {name for name, needle in needles.items() if needle in content}
    return found


@pytest.mark.timeout(200)
async def test_nothing_personal_lies_in_the_clear(ground: Field) -> None:
    suite, corp_id = ground.suite, ground.suite.home.corps[-2]["corp_id"]
    async with Client(suite, corp_id) as client:
        result = await replay(client, await set_up(client), buyers=BUYERS, seed=5)
        assert all(figure["equal"] for figure in result.figures)
    database = await asyncpg.connect(suite.home.postgres_url(suite.ports, "postgres"))
    await database.execute("checkpoint")
    await database.close()
    corp = Corp(corp_id, {})
    people = [corp.add_person(f"buyer {number}") for number in range(1, BUYERS + 1)]
    needles = {}
    for person in people:
        for kind in ("unionid", "phone", "external_userid", "name"):
            value = str(getattr(person, kind))
            needles[f"{kind} of {person.key}"] = value.encode()
            # In bytea as text, and in JSON with escapes.
            needles[f"{kind} of {person.key}, escaped"] = json.dumps(value)[1:-1].encode()
    for folder in ("postgres", "nats", "logs"):
        own = needles
        if folder == "logs":
            assert found_in(suite.home.path / folder, {"proof": b'"event":"request"'}), "the search finds what is there"
        if folder == "postgres":
            assert found_in(suite.home.path / folder, {"proof": b"guide_001"}), "the search finds what is there"
        leaked = found_in(suite.home.path / folder, own)
        assert not leaked, (folder, sorted(leaked)[:5])


async def test_secrets_are_in_no_log(ground: Field) -> None:
    keys = ground.suite.home.keys
    words = ("data", "index", "session", "service", "postgres", "nats")
    needles = {word: keys[word].partition(":")[2].encode() or keys[word].encode() for word in words}
    for number, corp in enumerate(ground.suite.home.corps):
        of_apps = ("app_secret", "callback_token", "callback_aes_key")
        for word in (*of_apps, *(SECOND + one for one in of_apps), "mall_client_secret"):
            needles[f"{word} {number}"] = corp[word].encode()
    assert not found_in(ground.suite.home.logs, needles)


@pytest.mark.timeout(120)
async def test_a_new_data_key_seals_and_the_old_one_still_opens(ground: Field) -> None:
    """The key file gets another first key and everything is restarted, one replica after another."""
    suite, corp_id = ground.suite, ground.suite.home.corps[-2]["corp_id"]
    async with Client(suite, corp_id) as client:
        await client.sign_in("admin")
        before = await client.get("/api/v1/customers", pageSize="50")
        old = suite.home.keys["data"]
        suite.home.change_key("data", f"next:{b64encode(secrets.token_bytes(32)).decode()},{old}")
        for service in (*SERVICES, "gateway"):
            for name in suite.names(service):
                suite.stop(name)
                suite.start(name)
        assert await client.get("/api/v1/customers", pageSize="50") == before
        body = {"corp_id": corp_id, "person": "after the change", "userid": "guide_007"}
        friend = await client.sandbox("/sandbox/scan", body)

        async def named() -> bool:
            listed = await client.get("/api/v1/customers", pageSize="5")
            return any(one["name"] == friend["name"] for one in listed["customers"])

        await until(named)
    database = await asyncpg.connect(suite.home.postgres_url(suite.ports, "identity"))
    try:
        newest = await database.fetchval(
            "select sealed_name from identity.contacts where corp_id = $1 order by version desc limit 1", corp_id
        )
        assert newest[1:5] == b"next"
        rows = await database.fetch("select sealed from identity.identifiers where corp_id = $1", corp_id)
        both = Sealer(suite.home.keys["data"])
        assert {bytes(row["sealed"])[1 : 1 + row["sealed"][0]] for row in rows} == {b"local1", b"next"}
        assert all(both.open(corp_id, row["sealed"]) for row in rows)
    finally:
        await database.close()
