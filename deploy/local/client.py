"""The suite as an outsider meets it: sign-in, REST, the sandbox's controls, and whether the queues are empty."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from deploy.local.home import SERVICES
from deploy.local.suite import Suite


class Refused(Exception):
    """The gateway or the sandbox answered with a problem."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status} {body}")
        self.status = status


class Client:
    """One administrator's view. Use as a context manager."""

    def __init__(self, suite: Suite, corp_id: str) -> None:
        self._suite = suite
        self.corp_id = corp_id
        self.token = ""
        self.session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=60),
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            headers={"User-Agent": "bihuan-local wxwork"},
        )

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def sign_in(self, userid: str) -> str:
        """The way a browser inside WeCom goes: our door, WeCom's page, back to our door. Returns the session token."""
        address = f"{self._suite.gateway}/auth/login?corp_id={self.corp_id}"
        for _ in range(3):
            async with self.session.get(address, allow_redirects=False) as answer:
                if answer.status != 302:
                    raise Refused(answer.status, await answer.text())
                address = answer.headers["Location"].partition("#")[0]
                if "/connect/oauth2/authorize" in address:
                    address += f"&as={userid}"
                if not urlsplit(address).netloc:
                    break
        cookies = self.session.cookie_jar.filter_cookies(URL(self._suite.gateway))
        self.token = cookies["bihuan_session"].value
        return self.token

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        return await self._json("GET", self._suite.gateway + path, params=query)

    async def each(self, path: str, name: str) -> AsyncIterator[dict[str, Any]]:
        """Everything of a list, page by page."""
        token = ""
        while True:
            page = await self.get(path, pageSize="200", pageToken=token)
            for one in page[name]:
                yield one
            token = page["nextPageToken"]
            if not token:
                return

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._json("POST", self._suite.gateway + path, json=body)

    async def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._json("PATCH", self._suite.gateway + path, json=body)

    async def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._json("PUT", self._suite.gateway + path, json=body)

    async def status(self, path: str) -> int:
        """Of a GET, whatever it is."""
        try:
            await self.get(path)
            return 200
        except Refused as refused:
            return refused.status

    async def sandbox(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._json("POST", self._suite.sandbox + path, json=body)

    async def ask_sandbox(self, path: str, **query: str) -> dict[str, Any]:
        return await self._json("GET", self._suite.sandbox + path, params=query)

    async def received_messages(self) -> list[str]:
        """Contents of the app messages that reached members."""
        answer = await self.ask_sandbox("/sandbox/messages", corp_id=self.corp_id)
        return [message["content"] for message in answer["received"]]

    async def waiting(self) -> dict[str, int]:
        """What still waits, by name: consumers' messages and the services' rows. Empty when all is done."""
        found = await self.consumers()
        if not found:
            raise RuntimeError("NATS tells of no durable consumer: what waits cannot be seen")
        for service in SERVICES:
            backlog = await self._json("GET", f"http://127.0.0.1:{self._suite.ports.web(service)}/backlog")
            found |= {f"{service} {what}": count for what, count in backlog.items()}
        return {what: count for what, count in found.items() if count}

    async def consumers(self) -> dict[str, int]:
        """How many messages each durable consumer has before it or in hand."""
        asked = {"consumers": "true", "config": "true"}
        state = await self._json("GET", f"http://127.0.0.1:{self._suite.ports.nats_monitor}/jsz", params=asked)
        return {
            consumer["name"]: consumer["num_pending"] + consumer["num_ack_pending"]
            for account in state.get("account_details", [])
            for stream in account.get("stream_detail", [])
            for consumer in stream.get("consumer_detail") or []
            if consumer.get("config", {}).get("durable_name")
        }

    async def drained(self, seconds: float) -> None:
        """Returns when nothing waits, seen twice in a row. Raises TimeoutError with what still waits."""
        in_a_row, left = 0, {}
        give_up_at = asyncio.get_running_loop().time() + seconds
        while in_a_row < 2:
            try:
                left = await self.waiting()
                in_a_row = 0 if left else in_a_row + 1
            except (aiohttp.ClientError, Refused):
                in_a_row = 0
            if asyncio.get_running_loop().time() > give_up_at:
                raise TimeoutError(f"still waiting: {left}")
            await asyncio.sleep(0.5)

    async def _json(self, method: str, url: str, **arguments: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token and "/api/v1" in url else {}
        async with self.session.request(method, url, headers=headers, **arguments) as answer:
            text = await answer.text()
            if answer.status >= 300:
                raise Refused(answer.status, text)
            body: dict[str, Any] = json.loads(text)
            return body
