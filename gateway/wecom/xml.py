"""WeCom's XML: one root with flat children. Read by expat directly, since every callback passes here twice.

A DOCTYPE is refused before anything in it is read, so there are no entities, no expansion and no outside references.
"""

from __future__ import annotations

from xml.parsers import expat

from chassis.errors import Invalid

MOST_DEPTH = 8


class _Forbidden(Exception):
    pass


def _refuse(*_: object) -> None:
    raise _Forbidden


def read_fields(body: bytes, field: str) -> dict[str, str]:
    """Name → text of the root's children; of a name that repeats, the first. Deeper elements are passed over.

    Raises Invalid that names `field`.
    """
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
