"""How many rows a list has: counted no further than anybody needs to know."""

from __future__ import annotations

from bihuan.common.v1.list_pb2 import Total

MOST = 10_000
# What a counting query stops at: `select count(*) from (select … limit 10001) bounded`.
LIMIT = MOST + 1


def total(counted: int) -> Total:
    """`counted`: what a query bounded by LIMIT found."""
    return Total(count=min(counted, MOST), at_least=counted > MOST)
