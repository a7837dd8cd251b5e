"""The catalogue of facts: every one is produced, consumed, and keeps its bytes."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

import acquisition as acquisition_service
import commerce as commerce_service
import engagement as engagement_service
import identity as identity_service
from chassis.consumer import Durable
from chassis.facts import subject_of, type_of
from chassis.kernel.streams import STREAMS, stream_of
from commerce import consumers as commerce
from engagement.consumers import Handlers
from gateway import stream
from tests.conftest import ROOT

GOLDEN = Path(__file__).with_name("golden.json")
SERVICES = (acquisition_service, commerce_service, engagement_service, identity_service)
RETIRED = {"StaffAlertRaised"}  # stated by the release before only


def facts() -> list[type[Message]]:
    """Every message of the contract that is no part of another one, nor of an RPC, nor of an option."""
    files = [
        importlib.import_module(f"bihuan.{proto.parts[-3]}.v1.{proto.stem}_pb2").DESCRIPTOR
        for proto in sorted((ROOT / "proto/bihuan").glob("*/v1/*.proto"))
    ]
    messages = [message for file in files for message in file.message_types_by_name.values()]
    parts = {
        part
        for file in files
        for service in file.services_by_name.values()
        for method in service.methods
        for part in (method.input_type, method.output_type)
    }
    parts |= {option.message_type for file in files for option in file.extensions_by_name.values()}
    parts |= {field.message_type for message in _with_nested(messages) for field in message.fields}
    return [GetMessageClass(message) for message in messages if message not in parts]


def _with_nested(messages: Iterable[Descriptor]) -> Iterator[Descriptor]:
    for message in messages:
        yield message
        yield from _with_nested(message.nested_types)


def durables() -> list[Durable]:
    """Those that stand in a module of a service by themselves, and those that are made of settings."""
    handlers = Handlers(None, None, None)  # type: ignore[arg-type]
    made = [*commerce.durables(timedelta()), *handlers.welcome_durables(), *handlers.alert_durables()]
    for service in SERVICES:
        for found in pkgutil.walk_packages(service.__path__, f"{service.__name__}."):
            if not found.name.endswith("__main__"):
                for value in vars(importlib.import_module(found.name)).values():
                    made += [
                        one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, Durable)
                    ]
    return list({id(one): one for one in made}.values())


def filled(message_class: type[Message], depth: int = 0) -> Message:
    """A message with every field set, the same every time."""
    message = message_class()
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None:
            value: Any = filled(GetMessageClass(field.message_type), depth + 1)
            target = getattr(message, field.name)
            target.append(value) if field.is_repeated else target.CopyFrom(value)
            continue
        value = {
            FieldDescriptor.CPPTYPE_STRING: field.name,
            FieldDescriptor.CPPTYPE_INT64: field.number * 1000,
            FieldDescriptor.CPPTYPE_INT32: field.number * 10,
            FieldDescriptor.CPPTYPE_BOOL: True,
            FieldDescriptor.CPPTYPE_DOUBLE: field.number / 2,
            FieldDescriptor.CPPTYPE_ENUM: 1,
        }.get(field.cpp_type)
        if field.type == FieldDescriptor.TYPE_BYTES:
            value = field.name.encode()
        getattr(message, field.name).append(value) if field.is_repeated else setattr(message, field.name, value)
    return message


@pytest.mark.parametrize("fact", facts(), ids=type_of)
def test_a_fact_has_a_stream_a_producer_and_a_consumer(fact: type[Message]) -> None:
    assert stream_of(subject_of(fact)) in STREAMS
    shown_live = subject_of(fact) in stream.EVENTS
    assert shown_live or any(fact in durable.types for durable in durables()), "nobody consumes it"
    name = fact.DESCRIPTOR.name
    if name in RETIRED:
        return
    sources = ["gateway"] if stream_of(subject_of(fact)) == "EDGE" else [fact.DESCRIPTOR.full_name.split(".")[1]]
    sources = ["commerce", "chassis"] if sources == ["staff"] else sources
    made = subprocess.run(
        ["git", "grep", "--untracked", "-lE", rf"\b{name}\(", "--", *(f"{source}/*.py" for source in sources)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert made.stdout.strip(), "nobody produces it"


@pytest.mark.parametrize("fact", facts(), ids=type_of)
def test_a_fact_keeps_its_bytes(fact: type[Message]) -> None:
    """Facts outlive releases in streams: what any release wrote is read, and read whole, by this one.

    After adding a fact or a field: `python -m tests.contract.test_facts`.
    """
    every_release = [bytes.fromhex(one) for one in json.loads(GOLDEN.read_text())[type_of(fact)]]
    for raw in every_release:
        assert fact.FromString(raw).SerializeToString(deterministic=True) == raw
    assert filled(fact).SerializeToString(deterministic=True) == every_release[-1]


def test_durables_have_names_and_streams_of_their_own() -> None:
    names = [durable.name for durable in durables()]
    assert len(set(names)) == len(names)
    for durable in durables():
        assert {stream_of(subject_of(message)) for message in durable.types} == {durable.stream}


def write_golden() -> None:
    golden = json.loads(GOLDEN.read_text())
    for fact in facts():
        known, now = golden.setdefault(type_of(fact), []), filled(fact).SerializeToString(deterministic=True).hex()
        if now not in known:
            known.append(now)
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    write_golden()
