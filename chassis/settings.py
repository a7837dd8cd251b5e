"""Settings that every process reads from its environment; nothing else in the house reads the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Base of each process's settings; a service adds its own keys under its own prefix."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    nats_url: str = Field(validation_alias="NATS_URL")
    corps_file: Path = Field(validation_alias="BIHUAN_CORPS_FILE")
    # `kid:base64,kid:base64`; the first key seals, all open. 32 bytes each.
    data_keys: str = Field(validation_alias="BIHUAN_DATA_KEYS", repr=False)
    # Base64, 32 bytes: makes identifier ids.
    index_key: str = Field(validation_alias="BIHUAN_INDEX_KEY", repr=False)
    # Shared by our own processes: who does not hold it gets no answer from a service.
    service_key: str = Field(validation_alias="BIHUAN_SERVICE_KEY", repr=False, min_length=16)
    log_level: str = Field(default="INFO", validation_alias="BIHUAN_LOG_LEVEL")
    # JetStream replicas of each stream: 1 on one machine, 3 on a cluster.
    stream_replicas: int = Field(default=1, validation_alias="BIHUAN_STREAM_REPLICAS")
    # Replicas of this process; bounds how much of a consumer may be in flight.
    replicas: int = Field(default=1, validation_alias="BIHUAN_REPLICAS")
    # After SIGTERM: how long it still answers whoever has not yet seen that it is no longer ready.
    drain_seconds: float = Field(default=5, ge=0, le=10, validation_alias="BIHUAN_DRAIN_SECONDS")
    # Health and metrics.
    web_host: str = "127.0.0.1"
    web_port: int = 0


def _folder() -> str:
    return Path(".local/blobs").absolute().as_uri()


class ServiceSettings(Settings):
    """A process that owns a PostgreSQL schema and serves gRPC."""

    database_url: str = Field(repr=False)
    grpc_host: str = "127.0.0.1"
    grpc_port: int = 0
    pool_size: int = 8
    # How long the facts that a dead replica had at hand wait for another one, at most; a durable may ask for less.
    # Longer than the longest transaction (chassis.pool), or two replicas would be at one fact.
    ack_wait_seconds: float = Field(default=30, gt=10, validation_alias="BIHUAN_ACK_WAIT_SECONDS")
    # Where files lie: file:///folder, or s3://bucket/prefix with its keys in AWS_* variables. Services may share it.
    blob_url: str = Field(default_factory=_folder, validation_alias="BIHUAN_BLOB_URL")
    # Where people reach the gateway; empty: nobody has said, so that no page is signed and no message has a link.
    public_url: str = Field(default="", validation_alias="GATEWAY_PUBLIC_URL")
    # How long it is known which facts were taken. Longer than any stream keeps them, or they would take effect again.
    inbox_days: float = Field(default=8, gt=7, validation_alias="BIHUAN_INBOX_DAYS")
