"""Welcome texts: Liquid over `customer.name` and `staff.name`, bounded in size and in work.

A name that is not known when it is time to send is nil: it comes out as nothing, and `{% if customer.name %}` is false.
"""

from __future__ import annotations

from typing import Any

from liquid import Environment, StrictUndefined
from liquid.exceptions import LiquidError

from chassis.errors import Invalid

MOST_BYTES = 4000
# Every text is tried with names and without.
SAMPLES = (("王小明", "李导购"), (None, "李导购"), ("王小明", None), (None, None))


class _Bounded(Environment):
    loop_iteration_limit = 1000
    output_stream_limit = 4 * MOST_BYTES
    context_depth_limit = 10


_environment = _Bounded(undefined=StrictUndefined)


def check(text: str) -> None:
    """Raises Invalid when the text is no template, names something unknown, comes out too long, or says nothing
    without names."""
    if not text.strip() or len(text.encode()) > MOST_BYTES:
        raise Invalid("TEXT_LENGTH_WRONG", field="text", expected=f"1 to {MOST_BYTES} bytes of UTF-8")
    try:
        rendered = [fill_in(text, *sample) for sample in SAMPLES]
    except LiquidError as error:
        raise Invalid("TEMPLATE_WRONG", f"the template does not work: {error}", field="text") from error
    if not all(said.strip() for said in rendered):
        raise Invalid("TEMPLATE_NEEDS_NAMES", field="text", expected="a text that says something without names, too")
    if len(rendered[0].encode()) >= MOST_BYTES:
        raise Invalid("TEXT_LENGTH_WRONG", field="text", expected=f"1 to {MOST_BYTES} bytes when filled in")


def wants_customer(text: str) -> bool:
    """True when the text says something about the customer, so that their name is worth waiting for."""
    return "customer" in text


def fill_in(text: str, customer_name: str | None, staff_name: str | None) -> str:
    """The text for one customer, cut to what WeCom takes."""
    rendered: str = _parse(text).render(customer={"name": customer_name or None}, staff={"name": staff_name or None})
    return rendered.encode()[:MOST_BYTES].decode(errors="ignore")


def _parse(text: str) -> Any:
    return _environment.from_string(text)
