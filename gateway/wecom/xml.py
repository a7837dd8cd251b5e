"""WeCom's XML: one root with flat children, twice in every callback. Two readers that agree.

What has exactly WeCom's own shape is read by one pattern in one pass; anything else by expat, which knows all of XML.
A DOCTYPE never has that shape, and expat refuses it before anything in it is read: so there are no entities, no
expansion and no outside references.
"""

from __future__ import annotations

import re
from xml.parsers import expat

from chassis.errors import Invalid

MOST_DEPTH = 8
ROOT_BEGIN, ROOT_END = b"<xml>", b"</xml>"
# A child that holds text, in CDATA or not, in which nothing has a meaning of its own. No part of it passes a "<": an
# attempt that fails ends at the next one, so that the time grows with the length of the body and not with its square.
CHILD = re.compile(r"<([A-Za-z]\w{0,63})>(?:<!\[CDATA\[([^]<]*)]]>|([^]<&]*))</\1>", re.ASCII)
# Of control characters XML forbids most, and changes the carriage return.
PLAIN = b"\n" + bytes(range(ord(" "), ord("~") + 1))


class _Forbidden(Exception):
    pass


def _refuse(*_: object) -> None:
    raise _Forbidden


def read_fields(body: bytes, field: str) -> dict[str, str]:
    """Name → text of the root's children; of a name that repeats, the first. Deeper elements are passed over.

    Raises Invalid that names `field`.
    """
    fields = _read_plain(body)
    return fields if fields is not None else _read_any(body, field)


def _read_plain(body: bytes) -> dict[str, str] | None:
    """None for what has another shape than WeCom's."""
    body = body.strip(b"\n")
    if not body.startswith(ROOT_BEGIN) or not body.endswith(ROOT_END) or body.translate(None, PLAIN):
        return None
    # Gap, name, CDATA, text, gap, …: between the children there may only be white space.
    pieces = CHILD.split(body[len(ROOT_BEGIN) : -len(ROOT_END)].decode())
    if "".join(pieces[::4]).strip("\n "):
        return None
    fields: dict[str, str] = {}
    for name, cdata, plain in zip(pieces[1::4], pieces[2::4], pieces[3::4], strict=True):
        fields.setdefault(name, cdata or plain or "")
    return fields


def _read_any(body: bytes, field: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    path: list[str] = []
    text: list[str] = []

    def start(name: str, _: dict[str, str]) -> None:
        path.append(name)
        text.clear()
        if len(path) > MOST_DEPTH:
            raise _Forbidden

    def end(name: str) -> None:
        if len(path) == 2:
            fields.setdefault(name, "".join(text))
        path.pop()
        text.clear()

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text.append
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(body, True)
    except _Forbidden:
        raise Invalid("XML_FORBIDDEN", field=field, expected="flat XML without DOCTYPE and entities") from None
    except (expat.ExpatError, ValueError, LookupError):
        raise Invalid("XML_WRONG", field=field, expected="well-formed XML") from None
    return fields
