"""The welcome that `make run` sends."""

from __future__ import annotations

import pytest

from deploy.local.story import WELCOME
from engagement.domain.templates import check, fill_in


@pytest.mark.parametrize(
    ("customer", "staff", "said"),
    [
        ("王伟", "导购李娜", "王伟，您好！我是导购李娜，很高兴认识您。"),
        (None, "导购李娜", "您好！我是导购李娜，很高兴认识您。"),
        ("王伟", None, "王伟，您好！很高兴认识您。"),
        (None, None, "您好！很高兴认识您。"),
    ],
)
def test_it_reads_right_with_and_without_names(customer: str | None, staff: str | None, said: str) -> None:
    check(WELCOME)
    assert fill_in(WELCOME, customer, staff) == said + "回复“优惠”领取新人礼。"
