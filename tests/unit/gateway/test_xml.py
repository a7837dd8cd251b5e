"""WeCom's XML: the quick reader says what expat says, or leaves it to expat."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chassis.errors import Invalid
from gateway.wecom import xml

NAMES = st.sampled_from(["Encrypt", "ToUserName", "AgentID", "a", "xml"])
TEXTS = st.text(st.sampled_from("ab1 <>&]!-?/'\"\n\r\t\x00\x0b\x7f\x85é微"), max_size=6)
CHILDREN = st.one_of(
    st.builds("<{0}><![CDATA[{1}]]></{0}>".format, NAMES, TEXTS),
    st.builds("<{0}>{1}</{0}>".format, NAMES, TEXTS),
    st.builds("<{0}><{1}>{2}</{1}></{0}>".format, NAMES, NAMES, TEXTS),
    st.builds("<{0}/>".format, NAMES),
    st.builds("<{0}></{1}>".format, NAMES, NAMES),
    TEXTS,
)
DOCUMENTS = st.builds("{}<xml>{}</xml>{}".format, st.just("") | TEXTS, st.lists(CHILDREN).map("".join), TEXTS)


@given(DOCUMENTS)
@example("<xml><xml></xml></xml>")
@example("<xml></xml><a></a><xml></xml>")
@example("\n<xml>\n<a>1</a> <a>2</a></xml>\n")
def test_both_readers_agree(document: str) -> None:
    body = document.encode()
    quick = xml._read_plain(body)
    if quick is not None:
        assert quick == xml._read_any(body, "body")


def test_what_wecom_sends_is_read_quickly() -> None:
    body = b"<xml><ToUserName><![CDATA[ww1]]></ToUserName>\n<At>17</At><At>18</At><Empty></Empty></xml>"
    assert xml._read_plain(body) == {"ToUserName": "ww1", "At": "17", "Empty": ""}


@pytest.mark.parametrize("body", [b"<!DOCTYPE a><xml><a>1</a></xml>", b"<xml><!DOCTYPE a><a>1</a></xml>"])
def test_a_doctype_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        xml.read_fields(body, "body")
