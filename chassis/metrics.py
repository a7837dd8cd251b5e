"""What every process counts; a service adds its own beside its code."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

FACTS = Counter("bihuan_facts_taken_total", "Facts that took effect", ["durable"])
DEAD_LETTERS = Counter("bihuan_dead_letters_total", "Facts that could not be taken", ["durable", "reason"])
UNKNOWN_TYPES = Counter(
    "bihuan_facts_of_unknown_type_total",
    "Facts left to another release",
    ["durable", "type"],
)
PARKED_CORPS = Gauge("bihuan_parked_corps", "Corps whose work is set aside", ["durable"])
PARKED_FACTS = Counter("bihuan_parked_facts_total", "Facts kept for a parked corp", ["durable"])
CONSUMER_RUNS = Gauge("bihuan_consumer_running", "1 while a durable is fed, 0 while it is not", ["durable"])
BATCH_SECONDS = Histogram(
    "bihuan_batch_seconds",
    "From fetch to ack",
    ["durable"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
RPC_SECONDS = Histogram(
    "bihuan_rpc_seconds",
    "gRPC calls served",
    ["method", "code"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
)
BACKLOG = Gauge("bihuan_backlog_rows", "Rows that wait", ["what"])
WECOM_CALLS = Counter("bihuan_wecom_calls_total", "Calls to WeCom", ["api", "errcode"])
