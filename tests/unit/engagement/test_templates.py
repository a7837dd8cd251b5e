"""Welcome texts: they read right with names and without."""

from __future__ import annotations

import pytest

from chassis.errors import Invalid
from engagement.domain import templates
from tests.conftest import ROOT

EXAMPLE = (
    "{% if customer.name %}{{ customer.name }}，{% endif %}您好"
    "{% if staff.name %}，我是{{ staff.name }}{% endif %}，很高兴认识您！"
)


@pytest.mark.parametrize(
    ("customer", "staff", "said"),
    [
        ("王芳", "李导购", "王芳，您好，我是李导购，很高兴认识您！"),
        (None, "李导购", "您好，我是李导购，很高兴认识您！"),
        ("王芳", None, "王芳，您好，很高兴认识您！"),
        ("", "", "您好，很高兴认识您！"),
    ],
)
def test_the_documented_welcome_reads_right_whoever_is_known(
    customer: str | None, staff: str | None, said: str
) -> None:
    assert EXAMPLE in (ROOT / "engagement/README.md").read_text()
    templates.check(EXAMPLE)
    assert templates.fill_in(EXAMPLE, customer, staff) == said


def test_a_rule_of_the_release_before_never_addresses_its_customer_twice() -> None:
    text = "{{ customer.name }}您好，我是{{ staff.name }}"
    templates.check(text)
    assert templates.fill_in(text, "王芳", "李导购") == "王芳您好，我是李导购"
    assert templates.fill_in(text, None, "李导购") == "您好，我是李导购"


def test_only_a_text_about_the_customer_is_worth_waiting_for_their_name() -> None:
    assert templates.wants_customer(EXAMPLE)
    assert not templates.wants_customer("您好，我是{{ staff.name }}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "{{ customer.nmae }}",
        "{{ x",
        "{% for i in (1..100000000) %}x{% endfor %}",
        "长" * 1400,
        "{{ customer.name }}",
        "{% if staff.name %}我是{{ staff.name }}{% endif %}",
        "{% if customer.name %}您好{% else %}{{ customer.nmae }}{% endif %}",
    ],
)
def test_a_template_that_cannot_work_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        templates.check(text)
    assert refusal.value.field == "text"
