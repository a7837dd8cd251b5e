"""Which streams there are: one per producer, and STAFF, which any service may write to."""

from __future__ import annotations

# Stream → what it holds. A stream is created or widened at start, never narrowed.
STREAMS: dict[str, tuple[str, ...]] = {
    "EDGE": ("evt.bihuan.wecom.v1.>", "evt.bihuan.mall.v1.>"),
    "ACQUISITION": ("evt.bihuan.acquisition.v1.>",),
    "ENGAGEMENT": ("evt.bihuan.engagement.v1.>",),
    "COMMERCE": ("evt.bihuan.commerce.v1.>",),
    "IDENTITY": ("evt.bihuan.identity.v1.>",),
    "STAFF": ("evt.bihuan.staff.v1.>",),
}


def stream_of(subject: str) -> str:
    """The stream that a subject of ours lies in."""
    for name, patterns in STREAMS.items():
        if any(subject.startswith(pattern.removesuffix(">")) for pattern in patterns):
            return name
    raise ValueError(f"no stream holds {subject}")
