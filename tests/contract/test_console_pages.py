"""The console's table of pages beside the contract: a page is for those whom the server lets use it, and no others."""

from __future__ import annotations

import re
from functools import cache

import pytest

from gateway.rest.contract import operations
from tests.conftest import ROOT

TABLE = ROOT / "gateway" / "console" / "src" / "pages.ts"
PAGE = re.compile(
    r"\b(?:page|inner)\('(?P<path>/[^']*)',\s*'\w+',\s*(?P<roles>\w+|\[[^\]]*\]),.*?import\('(?P<file>[^']+)'\)",
    re.DOTALL,
)
CONSTANT = re.compile(r"^const (\w+): (?:readonly )?Role(?:\[\])? = (.+)$", re.MULTILINE)
PEOPLE = frozenset({"ADMIN", "OPERATOR", "ANALYST", "MANAGER", "FRONTLINE"})
# What a page without a collection of its own asks for before anything else.
ASKS_FOR = {"/overview": "/api/v1/reports/adds", "/health": "/api/v1/services/{service}/health"}


@cache
def pages() -> dict[tuple[str, str], frozenset[str]]:
    """Path and file → roles, without their prefix."""
    text = TABLE.read_text()
    constants = dict(CONSTANT.findall(text))

    def roles(expression: str) -> frozenset[str]:
        found = frozenset(re.findall(r"'ROLE_(\w+)'", expression))
        for name in re.findall(r"\b[A-Z]+\b(?!')", re.sub(r"'[^']*'", "", expression)):
            found |= roles(constants[name])
        return found

    return {(one["path"], one["file"]): roles(one["roles"]) for one in PAGE.finditer(text)}


def callers(verb: str, path: str) -> frozenset[str] | None:
    """Who may call it; None when there is no such call. Parameters go by their place, not by their name."""
    for operation in operations():
        if (operation.verb, re.sub(r"{\w+}", "{}", operation.path)) == (verb, path):
            return operation.roles & PEOPLE
    return None


def test_the_table_was_read() -> None:
    assert len(pages()) == len(re.findall(r"^\s*(?:page|inner)\(", TABLE.read_text(), re.MULTILINE))
    assert all(roles <= PEOPLE for roles in pages().values())
    assert all(roles for roles in pages().values())


@pytest.mark.parametrize(("path", "file"), pages())
def test_a_page_is_for_those_whom_the_server_lets_use_it(path: str, file: str) -> None:
    found = callers(*_call(path, file))
    if found is None:
        pytest.skip("no call has this page's name")
    assert pages()[path, file] == found


def test_most_pages_are_compared() -> None:
    compared = [page for page in pages() if callers(*_call(*page)) is not None]
    assert len(compared) >= len(pages()) * 0.7, sorted(set(pages()) - set(compared))


def _call(path: str, file: str) -> tuple[str, str]:
    """What a page does that nobody can do without it."""
    if path in ASKS_FOR:
        return "GET", re.sub(r"{\w+}", "{}", ASKS_FOR[path])
    rest = "/api/v1" + re.sub(r":\w+", "{}", path)
    if rest.endswith("/new"):
        return "POST", rest.removesuffix("/new")
    if file.endswith("Form.vue"):
        return "PATCH", rest.removesuffix("/edit")
    return "GET", rest
