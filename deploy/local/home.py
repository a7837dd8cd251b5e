"""BIHUAN_HOME: data, logs, keys and the corps file of a local suite; made when missing."""

from __future__ import annotations

import base64
import json
import os
import secrets
import string
from dataclasses import dataclass
from pathlib import Path

from deploy.local import marker
from deploy.local.lock import Lock

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("identity", "acquisition", "engagement", "commerce")
# Names of the second app's secrets begin so.
SECOND = "second_"


# How far apart the ports of a process's replicas lie.
REPLICA_STEP = 20


@dataclass(frozen=True)
class Ports:
    """Everything counts up from the gateway's port."""

    base: int = 8080

    def replica(self, number: int) -> Ports:
        """Where the gateway and the services of another replica listen; the servers stay where they are."""
        return Ports(self.base + REPLICA_STEP * number)

    @property
    def gateway(self) -> int:
        return self.base

    @property
    def sandbox(self) -> int:
        return self.base + 10

    @property
    def chat(self) -> int:
        return self.base + 15

    @property
    def postgres(self) -> int:
        return self.base + 1

    @property
    def nats(self) -> int:
        return self.base + 2

    @property
    def nats_monitor(self) -> int:
        return self.base + 3

    def grpc(self, service: str) -> int:
        return self.base + 4 + SERVICES.index(service)

    def web(self, service: str) -> int:
        return self.base + 11 + SERVICES.index(service)


class Home:
    """A folder that only its owner can read, with our marker in it; one suite at a time runs in it."""

    def __init__(
        self, path: Path, corps_file: Path | None = None, *, corps: int = 1, api_port: int | None = None
    ) -> None:
        self.path = path.resolve()
        self.logs = self.path / "logs"
        self._given_corps = corps_file
        self._corps = corps
        self._api_port = api_port
        self._lock = Lock(self.path)

    def prepare(self, ports: Ports, *, empty: bool) -> None:
        """Takes the home until `release`: RuntimeError where it is not ours, or where another suite runs."""
        marker.claim(self.path, ROOT)
        self._lock.acquire()
        if empty:
            marker.empty(self.path)
        self.logs.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)
        if not self._keys_file.exists():
            self._keys_file.touch(mode=0o600)
            others = [_new_corp() for _ in range(1, self._corps)]
            self._keys_file.write_text(json.dumps({**_new_keys(), **_new_corp(), "others": others}, indent=1))
        if self._given_corps is None:
            sandbox = self._wecom(ports)
            self.corps_file.write_text("\n".join(_corp_section(corp, sandbox) for corp in self.corps))
            self.corps_file.chmod(0o600)

    def release(self) -> None:
        """Another suite may run here."""
        self._lock.release()

    @property
    def _keys_file(self) -> Path:
        return self.path / "keys.json"

    @property
    def corps_file(self) -> Path:
        return self._given_corps or self.path / "corps.toml"

    @property
    def keys(self) -> dict[str, str]:
        """The house's keys, and those of the first corp."""
        keys: dict[str, str] = json.loads(self._keys_file.read_text())
        return keys

    def change_key(self, name: str, value: str) -> None:
        """What processes that start from now on are told."""
        kept = json.loads(self._keys_file.read_text())
        self._keys_file.write_text(json.dumps({**kept, name: value}, indent=1))

    @property
    def corps(self) -> list[dict[str, str]]:
        """Each corp's id and secrets."""
        kept = json.loads(self._keys_file.read_text())
        return [kept, *kept.get("others", [])]

    def _wecom(self, ports: Ports) -> str:
        return f"http://127.0.0.1:{self._api_port or ports.sandbox}"

    def postgres_url(self, ports: Ports, role: str) -> str:
        return f"postgresql://{role}:{self.keys['postgres']}@127.0.0.1:{ports.postgres}/bihuan"

    def nats_url(self, ports: Ports) -> str:
        return os.environ.get("NATS_URL") or f"nats://bihuan:{self.keys['nats']}@127.0.0.1:{ports.nats}"

    def environment(self, ports: Ports, *, replica: int = 0, replicas: int = 1) -> dict[str, str]:
        """What every process is told. `<SERVICE>_DATABASE_URL` and `NATS_URL` of our own environment win."""
        keys, own = self.keys, ports.replica(replica)
        told = {
            "NATS_URL": self.nats_url(ports),
            "BIHUAN_CORPS_FILE": str(self.corps_file),
            "BIHUAN_DATA_KEYS": keys["data"],
            "BIHUAN_INDEX_KEY": keys["index"],
            "BIHUAN_SESSION_KEY": keys["session"],
            "BIHUAN_SERVICE_KEY": keys["service"],
            "BIHUAN_REPLICAS": str(replicas),
            "BIHUAN_BLOB_URL": (self.path / "blobs").as_uri(),
            # Nobody routes around an unready process here.
            "BIHUAN_DRAIN_SECONDS": "0",
            "GATEWAY_PORT": str(own.gateway),
            "GATEWAY_PUBLIC_URL": f"http://127.0.0.1:{ports.gateway}",
            "GATEWAY_PICTURE_ORIGINS": self._wecom(ports),
            # The sandbox's shop answers at once; a real one lags by up to half a minute.
            "COMMERCE_BUYER_QUERY_DELAY_SECONDS": "0.2",
        }
        for service in SERVICES:
            upper = service.upper()
            told[f"{upper}_DATABASE_URL"] = self.postgres_url(ports, service)
            told[f"{upper}_GRPC_PORT"] = str(own.grpc(service))
            told[f"{upper}_WEB_PORT"] = str(own.web(service))
            addresses = ",".join(f"127.0.0.1:{ports.replica(n).grpc(service)}" for n in range(replicas))
            told[f"GATEWAY_{upper}_ADDRESS"] = f"ipv4:{addresses}"
        # Its jobs ask there whether whoever asked for them still may.
        told["COMMERCE_IDENTITY_ADDRESS"] = told["GATEWAY_IDENTITY_ADDRESS"]
        return told | {key: value for key, value in os.environ.items() if key not in told or key.endswith("_URL")}


def _new_keys() -> dict[str, str]:
    def key() -> str:
        return base64.b64encode(secrets.token_bytes(32)).decode()

    return {
        "data": f"local1:{key()}",
        "index": key(),
        "session": secrets.token_urlsafe(48),
        "service": secrets.token_urlsafe(32),
        "postgres": secrets.token_urlsafe(18),
        "nats": secrets.token_urlsafe(18),
    }


def _new_corp() -> dict[str, str]:
    letters = string.ascii_letters + string.digits
    apps = {
        f"{prefix}{name}": value
        for prefix in ("", SECOND)
        for name, value in {
            "app_secret": secrets.token_urlsafe(32),
            "callback_token": "".join(secrets.choice(letters) for _ in range(24)),
            "callback_aes_key": base64.b64encode(secrets.token_bytes(32)).decode().rstrip("="),
        }.items()
    }
    return {
        "corp_id": "ww" + secrets.token_hex(8),
        **apps,
        "mall_client_id": secrets.token_hex(9),
        "mall_client_secret": secrets.token_hex(16),
    }


def _corp_section(keys: dict[str, str], sandbox: str) -> str:
    apps = _app_section(keys, "", 1000002)
    # A home of the release before has one app.
    if SECOND + "app_secret" in keys:
        apps += "\n" + _app_section(keys, SECOND, 1000003)
    return f"""[[corp]]
corp_id = "{keys["corp_id"]}"
name = "示例公司"
timezone = "Asia/Shanghai"
api_base = "{sandbox}"
oauth_base = "{sandbox}"

{apps}
[[corp.mall]]
id = "yz-main"
platform = "youzan"
api_base = "{sandbox}"
kdt_id = "160001"
client_id = "{keys["mall_client_id"]}"
client_secret = "{keys["mall_client_secret"]}"

[[corp.role]]
userid = "admin"
role = "ADMIN"

[[corp.role]]
userid = "operator"
role = "OPERATOR"

[[corp.role]]
userid = "manager"
role = "MANAGER"
"""


def _app_section(keys: dict[str, str], prefix: str, agent_id: int) -> str:
    return f"""[[corp.app]]
agent_id = {agent_id}
secret = "{keys[prefix + "app_secret"]}"
callback_token = "{keys[prefix + "callback_token"]}"
callback_aes_key = "{keys[prefix + "callback_aes_key"]}"
"""
