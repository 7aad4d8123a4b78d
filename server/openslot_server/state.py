"""The running server: the rooms' states together, and what HTTP handlers and the socket may ask of them.

Each method judges, changes the state in memory, and returns once the change is durable.
"""

from __future__ import annotations

from openslot_server.config import Settings
from openslot_server.demand.model import Campaign, CampaignDraft, Creative, LineItem, LineItemDraft, Status
from openslot_server.keys import Principal, Role
from openslot_server.storage.store import Store
from openslot_spec.slots import Slot

__all__ = ["Server"]


class Server:
    """What `request.app.state.server` is."""

    settings: Settings
    store: Store

    async def authenticate(self, token: str) -> Principal:
        """Return who holds `token`; raises `KEY_UNKNOWN`."""
        raise NotImplementedError

    async def add_key(self, principal: Principal, role: Role, account: str) -> str:
        """Return a new API key for `account`; operators only. It is never shown again."""
        raise NotImplementedError

    async def register_creative(self, principal: Principal, creative: Creative) -> Creative:
        """Return the creative as kept; its bytes must be in the library already.

        Raises:
            OpenSlotError: `ROLE_FORBIDDEN`, or `CREATIVE_REFUSED` if it is revoked or another advertiser's.
        """
        raise NotImplementedError

    def creative(self, sha256: str) -> Creative:
        """Return a creative; raises `CREATIVE_UNKNOWN`."""
        raise NotImplementedError

    def creatives(self, principal: Principal) -> list[Creative]:
        """Return the principal's creatives; all of them for an operator."""
        raise NotImplementedError

    async def revoke_creative(self, principal: Principal, sha256: str, reason: str) -> Creative:
        """Revoke a creative for good and push `placements.revoked` to every connected world."""
        raise NotImplementedError

    async def create_campaign(self, principal: Principal, draft: CampaignDraft) -> Campaign:
        """Return the new campaign."""
        raise NotImplementedError

    def campaigns(self, principal: Principal) -> list[Campaign]:
        """Return the principal's campaigns; all of them for an operator."""
        raise NotImplementedError

    async def set_campaign_status(self, principal: Principal, campaign: str, status: Status) -> Campaign:
        """Return the campaign after the step; raises `CAMPAIGN_UNKNOWN`, or `INVALID` for a step the table lacks."""
        raise NotImplementedError

    async def create_line_item(self, principal: Principal, draft: LineItemDraft) -> LineItem:
        """Return the new line item, its budget funded in the ledger; raises `LINE_ITEM_INVALID` naming the field."""
        raise NotImplementedError

    def line_items(self, principal: Principal) -> list[LineItem]:
        """Return the principal's line items; all of them for an operator."""
        raise NotImplementedError

    async def set_line_item_status(self, principal: Principal, line_item: str, status: Status) -> LineItem:
        """Return the line item after the step; raises `LINE_ITEM_UNKNOWN`, or `INVALID`."""
        raise NotImplementedError

    def worlds(self, principal: Principal) -> list[str]:
        """Return the names of the worlds that registered slots: the principal's own, or all for an operator."""
        raise NotImplementedError

    def slots(self, principal: Principal, world: str) -> list[Slot]:
        """Return the slots of a world as registered."""
        raise NotImplementedError
