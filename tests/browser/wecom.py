"""A browser that takes itself for WeCom's: its user agent, and a bridge that answers the JS-SDK."""

from __future__ import annotations

import json
from typing import Any

AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36"
    " wxwork/4.1.36 MicroMessenger/7.0.1"
)
OPTIONS: dict[str, Any] = {"user_agent": AGENT}
BRIDGE = """
window.asked = []
const answers = %s
window.WeixinJSBridge = {
  on() {},
  invoke(name, told, done) {
    window.asked.push(name)
    setTimeout(() => done(answers[name] ?? { err_msg: `${name}:ok` }))
  },
}
"""


def bridge(external_userid: str = "", **answers: dict[str, Any]) -> str:
    """An init script: the chat with this contact is open, unless `answers` say something else of a call."""
    known: dict[str, dict[str, Any]] = {
        "getContext": {
            "err_msg": "getContext:ok",
            "entry": "single_chat_tools" if external_userid else "normal",
        },
        "getCurExternalContact": {"err_msg": "getCurExternalContact:ok", "userId": external_userid}
        if external_userid
        else {"err_msg": "getCurExternalContact:fail_without context of external contact"},
    }
    return BRIDGE % json.dumps({**known, **answers})
