"""Pure rules of all services, each by what it promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chassis.errors import Invalid
from engagement.domain import templates

MORNING = datetime(2026, 1, 5, tzinfo=UTC)


def at(seconds: int) -> datetime:
    return MORNING + timedelta(seconds=seconds)


# -- templates


def test_a_welcome_names_both() -> None:
    text = "{{ customer.name }}您好，我是{{ staff.name }}"
    templates.check(text)
    assert templates.fill_in(text, "王芳", "李导购") == "王芳您好，我是李导购"
    assert templates.fill_in(text, None, "李导购") == "您您好，我是李导购"
    assert templates.wants_customer(text)


@pytest.mark.parametrize(
    "text", ["", "  ", "{{ customer.nmae }}", "{{ x", "{% for i in (1..100000000) %}x{% endfor %}", "长" * 1400]
)
def test_a_template_that_cannot_work_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        templates.check(text)
    assert refusal.value.field == "text"
