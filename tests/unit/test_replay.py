"""What the replay says, read from its messages alone, is what the referee takes from the rules."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.parse import unquote

import pytest
import xmltodict
from wechatpy.work.crypto import WeChatCrypto

from deploy.local import referee
from deploy.local.home import SECOND, Home, Ports
from deploy.sandbox.log import log_file, read_log
from deploy.sandbox.plan import Plan, Step
from deploy.sandbox.replay import FEATURES
from deploy.sandbox.world import World

TODAY, BUYERS = date(2026, 11, 22), 600
STATES = [f"state{number}" for number in range(8)]
Told = dict[str, str]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("replay") / "home")
    home.prepare(Ports(), empty=True)
    return home


def planned(home: Home, without: frozenset[str] = frozenset()) -> list[Step]:
    corp = World(home.corps_file, members=200).corps[home.keys["corp_id"]]
    return Plan(corp, STATES, TODAY, frozenset(FEATURES) - without).steps(read_log(), BUYERS)


def read(steps: list[Step], keys: dict[str, str]) -> tuple[list[Told], list[tuple[str, dict[str, Any]]]]:
    """Events that the main app is told of, and the shop's (type, msg), in order of their time."""
    return [one for one, main in events(steps, keys) if main], list(messages(steps))


def events(steps: list[Step], keys: dict[str, str]) -> Iterator[tuple[Told, bool]]:
    """Each event, and whether it is for the main app."""
    for step in steps:
        delivery = step.make()
        if delivery.kind == "wecom":
            main = delivery.path.endswith("1000002")
            prefix = "" if main else SECOND
            crypto = WeChatCrypto(keys[prefix + "callback_token"], keys[prefix + "callback_aes_key"], keys["corp_id"])
            query, body, _ = delivery.sign(0)
            signature, timestamp, nonce = (one.partition("=")[2] for one in query[1:].split("&"))
            yield xmltodict.parse(crypto.decrypt_message(body.decode(), signature, timestamp, nonce))["xml"], main


def messages(steps: list[Step]) -> Iterator[tuple[str, dict[str, Any]]]:
    for step in steps:
        delivery = step.make()
        if delivery.kind == "youzan":
            envelope = json.loads(delivery.sign(0)[1])
            msg = envelope["msg"]
            yield envelope["type"], json.loads(unquote(msg)) if isinstance(msg, str) else msg


def fen(yuan: str) -> int:
    return int(yuan.replace(".", ""))


def test_relations_and_welcomes_are_the_referees(home: Home) -> None:
    told, _ = read(planned(home), home.keys)
    judged = referee.figures(log_file().read_text(), TODAY, BUYERS)
    living: set[tuple[str, str]] = set()
    codes, lost = set(), 0
    for one in told:
        change, pair = one["ChangeType"], (one["UserID"], one.get("ExternalUserID", ""))
        if change.startswith("add_"):
            living.add(pair)
            codes |= {one["WelcomeCode"]} if "WelcomeCode" in one else set()
        elif change.startswith("del_"):
            living.discard(pair)
            lost += change == "del_follow_user"
        elif change == "update_user":
            living = {(one["NewUserID"] if userid == one["UserID"] else userid, ext) for userid, ext in living}
    assert len(living) == judged["living_relations"]
    assert len(codes) == judged["welcomes_sent"]
    assert lost == judged["alerts_friend_lost"]
    assert not any(userid == "guide_042" for userid, _ in living)


def test_orders_lines_and_refunds_are_the_referees(home: Home) -> None:
    _, told = read(planned(home), home.keys)
    judged = referee.figures(log_file().read_text(), TODAY, BUYERS)
    paid: dict[str, int] = {}
    rows: set[str] = set()
    for kind, msg in told:
        if kind in ("trade_TradePaid", "trade_TradeBuyerPay"):
            full = msg["full_order_info"]
            order_id = full["order_info"]["tid"]
            paid[order_id] = fen(full["pay_info"]["payment"])
            assert sum(fen(line["payment"]) for line in full["orders"]) == paid[order_id]
            for line in full["orders"]:
                rows.add(f"{order_id}/{line['oid']}/{line['outer_sku_id']}/{fen(line['payment'])}")
        elif "refund_id" in msg:
            amount = fen(msg["refunded_fee"])
            of_line = f"{msg['oid']}:{amount}" if "oid" in msg else ""
            rows.add(f"{msg['tid']}/{msg['refund_id']}/{amount}/{of_line}")
    assert sum(paid.values()) == judged["gmv_paid"]
    digest = hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()[:12]
    assert int(digest, 16) == judged["every_line"]


def test_a_copy_is_the_same_to_the_letter(home: Home) -> None:
    steps = [step for step in planned(home) if step.is_add][:20]
    assert [one for one, _ in events(steps, home.keys)] == [one for one, _ in events(steps, home.keys)]


def test_the_second_app_hears_of_some_employees_only(home: Home) -> None:
    second = [one for one, main in events(planned(home), home.keys) if not main]
    assert second
    numbers = {one["UserID"].removeprefix("guide_").removesuffix("_new") for one in second if "ExternalUserID" in one}
    assert {int(number) % 4 for number in numbers} == {2}
    assert not [1 for _, main in events(planned(home, frozenset({"two_apps"})), home.keys) if not main]
