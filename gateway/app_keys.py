"""What the app carries; a leaf, so that nothing imports in a circle."""

from __future__ import annotations

from aiohttp import web

from chassis.kernel.corps import Corps
from gateway.auth import Doorkeeper
from gateway.edge import Edge
from gateway.settings import Settings

SETTINGS = web.AppKey("settings", Settings)
CORPS = web.AppKey("corps", Corps)
EDGE = web.AppKey("edge", Edge)
DOORKEEPER = web.AppKey("doorkeeper", Doorkeeper)
