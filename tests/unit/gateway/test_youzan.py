"""Youzan's text: the quick ways say what the library says."""

from __future__ import annotations

from urllib.parse import quote, unquote

from hypothesis import given
from hypothesis import strategies as st

from gateway.mall.youzan import _unquoted


@given(st.text())
def test_what_was_quoted_comes_back(text: str) -> None:
    whole = text.encode(errors="ignore").decode()
    assert _unquoted(quote(whole)) == whole


@given(st.text(st.sampled_from('%2257bBDdA0cC,{"a +é=\n\r')))
def test_stray_escapes_are_read_as_the_library_reads_them(text: str) -> None:
    assert _unquoted(text) == unquote(text)
