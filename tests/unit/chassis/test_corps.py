"""The corps file: scopes, platforms and apps, and what is refused at start."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from chassis.errors import Invalid
from chassis.kernel.corps import Corp, Corps
from tests.conftest import ROOT

CORP = """
[[corp]]
corp_id = "ww1"
name = "示例公司"
timezone = "Asia/Shanghai"
api_base = "http://a"
oauth_base = "http://o"
[[corp.app]]
agent_id = 1
secret = "s1"
callback_token = "t"
callback_aes_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
"""
SECOND_APP = """
[[corp.app]]
agent_id = 2
secret = "s2"
callback_token = "t"
callback_aes_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
"""
MALL = """
[[corp.mall]]
id = "{id}"
platform = "{platform}"
api_base = "http://m"
kdt_id = "1"
client_id = "c"
client_secret = "verysecret"
{more}
"""


def mall(id: str = "yz", platform: str = "youzan", more: str = "") -> str:
    return MALL.format(id=id, platform=platform, more=more)


def load(folder: Path, *parts: str) -> Corp:
    path = folder / "corps.toml"
    path.write_text("".join(parts))
    return Corps.load(path).get("ww1")


def test_a_mall_says_in_which_scope_its_names_are(tmp_path: Path) -> None:
    scopes = 'scope = "outlet"\nunionid_scope = "subject-b"\nopenid_scope = "wx0123"'
    corp = load(tmp_path, CORP, mall("usual"), mall("outlet", more=scopes))
    kinds = ("yz_open_id", "unionid", "openid", "phone", "external_userid")
    assert [corp.scope_of(kind, "outlet") for kind in kinds] == ["outlet", "subject-b", "wx0123", "", ""]
    assert {corp.scope_of(kind, mall_id) for kind in kinds for mall_id in ("usual", "", "gone")} == {""}
    assert corp.scopes("unionid") == {"", "subject-b"}
    assert corp.scopes("phone") == {""}
    assert corp.known_scope("openid", "wx0123") == "wx0123"


def test_the_web_login_is_wecoms_own_or_stands_where_sign_in_does(tmp_path: Path) -> None:
    assert load(tmp_path, CORP).web_login_base == "http://o"
    real = CORP.replace("http://o", "https://open.weixin.qq.com")
    assert load(tmp_path, real).web_login_base == "https://login.work.weixin.qq.com"
    own = CORP.replace("[[corp.app]]", 'login_base = "http://l"\n[[corp.app]]')
    assert load(tmp_path, own).web_login_base == "http://l"


def test_a_mall_has_a_name_and_a_way_in(tmp_path: Path) -> None:
    entry = 'name = "旗舰店"\nentry = { title = "进店", app_id = "wx1", page = "pages/index" }'
    named, plain = load(tmp_path, CORP, mall("named", more=entry), mall("plain")).mall
    assert (named.name, named.entry and named.entry.page) == ("旗舰店", "pages/index")
    assert (plain.name, plain.entry) == ("", None)
    assert "name" not in named.own


def test_a_scope_that_is_not_configured_is_refused_by_name(tmp_path: Path) -> None:
    corp = load(tmp_path, CORP, mall(more='unionid_scope = "subject-b"'))
    with pytest.raises(Invalid) as refusal:
        corp.known_scope("unionid", "subject-c", field="identifier.scope")
    assert (refusal.value.reason, refusal.value.field) == ("SCOPE_UNKNOWN", "identifier.scope")
    assert "subject-b" in str(refusal.value.expected)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ((mall(more='scope = "with space"'),), "scope"),
        ((mall(more='phone_scope = "x"'),), "phone_scope: no key of youzan"),
        ((mall(platform="shopify"),), "'shopify' is not supported yet, only youzan"),
        ((mall().replace('kdt_id = "1"', ""),), "kdt_id: youzan needs it"),
        ((mall().replace('kdt_id = "1"', "kdt_id = 1"),), "kdt_id: youzan needs it, a text"),
        ((mall(more=f'name = "{"x" * 65}"'),), "name"),
        ((mall(more='entry = { title = "in" }'),), "entry: either app_id and page, or url"),
        ((mall(more='entry = { title = "in", app_id = "wx1" }'),), "entry: either app_id and page, or url"),
        ((mall(more='entry = { title = "in", app_id = "wx1", page = "p", url = "http://u" }'),), "entry: either"),
        ((mall(more='entry = { title = "in", url = "javascript:x" }'),), "url"),
        ((mall(), mall()), "mall.id: stands twice in corp ww1"),
        ((SECOND_APP, SECOND_APP), "app.agent_id: stands twice in corp ww1"),
        (('[[corp.mall]]\nid = "Über"\nplatform = "youzan"\napi_base = "x"\n',), "id"),
    ],
)
def test_a_wrong_file_is_refused_at_start(tmp_path: Path, parts: tuple[str, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        load(tmp_path, CORP, *parts)


def test_the_example_is_right() -> None:
    corp = next(iter(Corps.load(ROOT / "docs/corps.example.toml")))
    assert [mall.scope_of("yz_open_id") for mall in corp.mall] == ["", "outlet"]


def test_a_malls_secrets_are_not_shown(tmp_path: Path) -> None:
    assert "verysecret" not in repr(load(tmp_path, CORP, mall()))


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 1, 4, 15, 59, tzinfo=UTC), date(2026, 1, 4)),
        (datetime(2026, 1, 4, 16, 0, tzinfo=UTC), date(2026, 1, 5)),
    ],
)
def test_a_business_day_begins_at_midnight_of_the_corps_zone(tmp_path: Path, moment: datetime, day: date) -> None:
    assert load(tmp_path, CORP).day_of(moment) == day
