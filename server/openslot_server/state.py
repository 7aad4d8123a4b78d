"""The running server: its core, and the desks where it may be asked; what `request.app.state.server` is."""

from __future__ import annotations

from openslot_server.config import Settings
from openslot_server.core import Clock, Core, Listener
from openslot_server.desks.audits import AuditDesk
from openslot_server.desks.creatives import CreativeDesk
from openslot_server.desks.keys import KeyDesk
from openslot_server.desks.orders import OrderDesk
from openslot_server.desks.peers import PeerDesk
from openslot_server.desks.reports import ReportDesk
from openslot_server.desks.review import ReviewDesk
from openslot_server.rooms import Entropy
from openslot_server.storage.store import Store

__all__ = ["Clock", "Listener", "Server"]


class Server(Core):
    """A core with its desks. A new capability is a room, and a desk where people may ask for it."""

    def __init__(self, settings: Settings, store: Store, clock: Clock, entropy: Entropy) -> None:
        super().__init__(settings, store, clock, entropy)
        self.keys = KeyDesk(self)
        self.creatives = CreativeDesk(self)
        self.reviews = ReviewDesk(self)
        self.orders = OrderDesk(self)
        self.reports = ReportDesk(self)
        self.audits = AuditDesk(self)
        self.peers = PeerDesk(self)
