"""Every way OpenSlot says no: stable codes, a sentence each, and the exception that carries them.

Codes are the same on the wire, over HTTP, in the command line's output and in the docs; `spec/errors.md` is generated
from this table. "No ad" is not an error: it is a `NoAd` reason in `messages`.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["SENTENCES", "Code", "OpenSlotError", "exit_code"]


class Code(StrEnum):
    """A stable name for one kind of refusal."""

    # the wire
    FRAME_TOO_LARGE = "wire.frame_too_large"
    MALFORMED = "wire.malformed"
    INVALID = "wire.invalid"
    UNEXPECTED = "wire.unexpected"
    UNSUPPORTED_VERSION = "wire.unsupported_version"
    RATE_LIMITED = "wire.rate_limited"
    HELLO_TIMEOUT = "wire.hello_timeout"
    SLOW_CONSUMER = "wire.slow_consumer"
    SHUTTING_DOWN = "wire.shutting_down"
    INTERNAL = "wire.internal"
    # who
    KEY_UNKNOWN = "auth.key_unknown"
    KEY_NAME_UNKNOWN = "auth.name_unknown"
    ROLE_FORBIDDEN = "auth.role_forbidden"
    # HTTP
    PATH_UNKNOWN = "http.path_unknown"
    METHOD_UNKNOWN = "http.method_unknown"
    MEDIA_UNKNOWN = "http.media_unknown"
    BODY_TIMEOUT = "http.body_timeout"
    ONCE_REUSED = "http.once_reused"
    # slots
    SLOT_INVALID = "slot.invalid"
    SLOT_UNKNOWN = "slot.unknown"
    SLOT_DUPLICATE = "slot.duplicate"
    SLOT_DEGENERATE = "slot.degenerate"
    SLOT_LIMIT = "slot.limit"
    SLOT_STALE = "slot.stale"
    PROFILE_UNKNOWN = "profile.unknown"
    # cameras and geometry
    CAMERA_INVALID = "camera.invalid"
    CAMERA_IMPLAUSIBLE = "camera.implausible"
    GEOMETRY_INVALID = "geometry.invalid"
    GEOMETRY_LIMIT = "geometry.limit"
    PATHS_INVALID = "paths.invalid"
    # scenes and creatives
    GLTF_NOT_READ = "gltf.not_read"
    GLTF_REFUSED = "gltf.refused"
    SCENE_WITHOUT_SLOTS = "scene.without_slots"
    CREATIVE_REFUSED = "creative.refused"
    CREATIVE_UNKNOWN = "creative.unknown"
    CREATIVE_TOO_LARGE = "creative.too_large"
    CREATIVE_HASH_MISMATCH = "creative.hash_mismatch"
    PREVIEW_FAILED = "preview.failed"
    PREVIEW_UNAVAILABLE = "preview.unavailable"
    CREATIVE_QUOTA = "creative.quota"
    UPLOAD_UNKNOWN = "upload.unknown"
    UPLOAD_CONFLICT = "upload.conflict"
    UPLOAD_VERSION = "upload.version"
    # demand
    CAMPAIGN_UNKNOWN = "campaign.unknown"
    LINE_ITEM_INVALID = "line_item.invalid"
    LINE_ITEM_UNKNOWN = "line_item.unknown"
    # events
    TICKET_INVALID = "ticket.invalid"
    TICKET_EXPIRED = "ticket.expired"
    TICKET_FOREIGN = "ticket.foreign"
    EVENT_DUPLICATE = "event.duplicate"
    EVENT_OUT_OF_RANGE = "event.out_of_range"
    TRAFFIC_REPLAYED = "traffic.replayed"
    TRAFFIC_BACKWARDS = "traffic.backwards"
    TRAFFIC_TOO_LONG = "traffic.too_long"
    TRAFFIC_TOO_OFTEN = "traffic.too_often"
    TRAFFIC_CROWD = "traffic.crowd"
    TRAFFIC_ABSURD = "traffic.absurd"
    EVIDENCE_INVALID = "evidence.invalid"
    AUDIT_NOT_ASKED = "audit.not_asked"
    AUDIT_INFLATED = "audit.inflated"
    AUDIT_MISMATCH = "audit.mismatch"
    AUDIT_REPLAYED = "audit.replayed"
    AUDIT_UNREVEALED = "audit.unrevealed"
    ACTION_UNKNOWN = "action.unknown"
    BATCH_CONFLICT = "batch.conflict"
    BATCH_INVALID = "batch.invalid"
    SPOOL_FULL = "spool.full"
    SPOOL_DAMAGED = "spool.damaged"
    # the place it runs in
    PORT_IN_USE = "run.port_in_use"
    SERVER_AWAY = "run.server_away"
    STORAGE_FAILED = "run.storage_failed"
    STORAGE_DAMAGED = "run.storage_damaged"
    CONFIG_INVALID = "run.config_invalid"
    FILE_NOT_FOUND = "run.file_not_found"
    FILE_INVALID = "run.file_invalid"
    ARGUMENT_INVALID = "run.argument_invalid"
    LEDGER_BROKEN = "ledger.broken"
    # between servers
    SIGNATURE_INVALID = "peer.signature_invalid"
    KEY_NOT_HELD = "peer.key_not_held"
    SERVER_INVALID = "peer.server_invalid"
    SERVER_UNKNOWN = "peer.server_unknown"
    RECORD_INVALID = "peer.record_invalid"
    FEED_EQUIVOCAL = "peer.feed_equivocal"
    PEER_QUOTA = "peer.quota"
    PEER_PATH = "peer.path"
    FRAME_FOREIGN = "peer.frame_foreign"
    PEER_UNAPPROVED = "peer.unapproved"
    PEER_AWAY = "peer.away"


SENTENCES: dict[Code, str] = {
    Code.FRAME_TOO_LARGE: "The message is larger than the limit, on the socket the one in `welcome`; split it.",
    Code.MALFORMED: "The bytes are not strict msgpack or JSON as asked for; a socket is closed after them.",
    Code.INVALID: "The message does not fit its schema; the error names the field.",
    Code.UNEXPECTED: "This message may not be sent in this state or by this role.",
    Code.UNSUPPORTED_VERSION: "No common protocol version; the error lists the ones spoken here.",
    Code.RATE_LIMITED: "Too many messages; wait `retry_after_ms` and send again.",
    Code.HELLO_TIMEOUT: "No `hello` came within the deadline.",
    Code.SLOW_CONSUMER: "The outbound queue is full because the other side does not read; reconnect and resume.",
    Code.SHUTTING_DOWN: "The server is stopping; reconnect after `retry_after_ms`.",
    Code.INTERNAL: "The server failed; nothing was acknowledged, send again.",
    Code.KEY_UNKNOWN: "The API key is not known here; check the key and the server's address.",
    Code.KEY_NAME_UNKNOWN: "No API key has this name; `openslot keys list` shows them.",
    Code.ROLE_FORBIDDEN: "The key's role may not do this.",
    Code.PATH_UNKNOWN: "Nothing is at this path; `/openapi.json` lists what there is.",
    Code.METHOD_UNKNOWN: "This path does not take this method; the `Allow` header lists those it takes.",
    Code.MEDIA_UNKNOWN: "The body's Content-Type is not one taken here; the error names those that are.",
    Code.BODY_TIMEOUT: "The body did not arrive in time; send it again over a better connection.",
    Code.ONCE_REUSED: "The Idempotency-Key was used before for something else; take a new one.",
    Code.SLOT_INVALID: "The slot record does not fit `schema/slot.json`; the error names the field.",
    Code.SLOT_UNKNOWN: "No slot has this id in this scene or world.",
    Code.SLOT_DUPLICATE: "Two slots of one scene have the same id; ids are unique within a world.",
    Code.SLOT_DEGENERATE: "The slot has no area, or its transform is singular or sheared.",
    Code.PROFILE_UNKNOWN: "No viewability profile has this name; the error lists those there are.",
    Code.SLOT_LIMIT: "The world has more slots than the limit announced in `welcome`.",
    Code.SLOT_STALE: "The slot was changed or removed before the event; ask for a new placement.",
    Code.CAMERA_INVALID: "The camera is not finite, its matrix is singular, or its viewport is not positive.",
    Code.CAMERA_IMPLAUSIBLE: "The camera moves, or is made, as nobody's eye and screen are; such samples do not count.",
    Code.GEOMETRY_INVALID: "What stands in the scene is not finite, out of range, or not as the standard has it.",
    Code.GEOMETRY_LIMIT: "The geometry is larger than registered geometry may be, or the world registers too many.",
    Code.PATHS_INVALID: "The visitors' paths do not fit `schema/paths.json`; the error names the field.",
    Code.GLTF_NOT_READ: "The file is not glTF 2.0 (GLB or self-contained .gltf).",
    Code.GLTF_REFUSED: "The glTF breaks a rule of the gate; the error names the rule and the place.",
    Code.SCENE_WITHOUT_SLOTS: "The scene has no ad slot; add one with `openslot scene add-slot`.",
    Code.CREATIVE_REFUSED: "The creative does not pass the gate; the error names the rule and the place.",
    Code.CREATIVE_UNKNOWN: "No creative has this id or hash.",
    Code.CREATIVE_TOO_LARGE: "The creative is larger than its tier allows.",
    Code.CREATIVE_HASH_MISMATCH: "The bytes received do not have the announced sha-256; they are not shown.",
    Code.PREVIEW_FAILED: "The renderer refuses the file or does not finish it in time; an upload does not need it.",
    Code.PREVIEW_UNAVAILABLE: "No renderer runs here; the error says what to install.",
    Code.CREATIVE_QUOTA: "The advertiser's quota is used up; withdraw creatives, or ask the operator for more.",
    Code.UPLOAD_UNKNOWN: "No upload has this id: it was ended or expired; begin a new one.",
    Code.UPLOAD_CONFLICT: "The upload does not stand there; ask with HEAD and go on from its `Upload-Offset`.",
    Code.UPLOAD_VERSION: "Uploads in parts speak tus 1.0.0: send `Tus-Resumable: 1.0.0`.",
    Code.CAMPAIGN_UNKNOWN: "No campaign has this id.",
    Code.LINE_ITEM_INVALID: "The line item cannot run as written; the error names the field and the rule.",
    Code.LINE_ITEM_UNKNOWN: "No line item has this id.",
    Code.TICKET_INVALID: "The ticket's signature does not hold.",
    Code.TICKET_EXPIRED: "The event happened after its ticket expired.",
    Code.TICKET_FOREIGN: "The ticket was issued to another world.",
    Code.EVENT_DUPLICATE: "This placement already has this event for this viewer.",
    Code.EVENT_OUT_OF_RANGE: "A figure of the event lies outside what is possible.",
    Code.TRAFFIC_REPLAYED: "These events came before, under another batch id; they count once.",
    Code.TRAFFIC_BACKWARDS: "The events of this view happened in an order that time does not allow.",
    Code.TRAFFIC_TOO_LONG: "The view lasted longer than the time in which it can have happened.",
    Code.TRAFFIC_TOO_OFTEN: "This viewer has a viewable event in this slot within the time that one takes.",
    Code.TRAFFIC_CROWD: "Far more viewers than the world expected when it asked for this placement.",
    Code.TRAFFIC_ABSURD: "The figures of the event contradict each other or its profile.",
    Code.EVIDENCE_INVALID: "The evidence does not fit its layout or its bounds; the error names the column.",
    Code.AUDIT_NOT_ASKED: "The server did not ask for this evidence, or has it already; delete it.",
    Code.AUDIT_INFLATED: "Nobody in these poses can have seen what the event claims; it is not paid.",
    Code.AUDIT_MISMATCH: "The evidence is not what was committed to, or not of this event; it is not paid.",
    Code.AUDIT_REPLAYED: "The same way of looking stands under events of others; it is not paid.",
    Code.AUDIT_UNREVEALED: "The evidence, or the geometry that it names, was not shown in time; it is not paid.",
    Code.ACTION_UNKNOWN: "The creative has no such action, or the slot's world does not allow it.",
    Code.BATCH_CONFLICT: "The batch id was used before with other content; the first one stands.",
    Code.BATCH_INVALID: "The columns do not agree in length, type or range.",
    Code.SPOOL_FULL: "The spool reached its size limit; what it holds stays, newer events are dropped and counted.",
    Code.SPOOL_DAMAGED: "The spool's end could not be read; whole batches before it are kept.",
    Code.PORT_IN_USE: "The port is taken; choose another with --port, or 0 for any.",
    Code.SERVER_AWAY: "The server does not answer; check the address. A world's events wait in its spool.",
    Code.STORAGE_DAMAGED: "What is stored is not what was written; restore a copy. The error names the table or file.",
    Code.STORAGE_FAILED: "The store cannot be opened or written; what was not acknowledged was not done.",
    Code.CONFIG_INVALID: "The configuration is not valid; the error names the setting.",
    Code.FILE_NOT_FOUND: "The file does not exist or cannot be read.",
    Code.FILE_INVALID: "The file is not what this command reads.",
    Code.ARGUMENT_INVALID: "The argument cannot be used; see the command's --help.",
    Code.LEDGER_BROKEN: "The ledger's chain or its balances do not hold; the error names the first bad record.",
    Code.SIGNATURE_INVALID: "The signature does not hold for these bytes and this purpose.",
    Code.KEY_NOT_HELD: "The key is not one of the server's, or did not hold then; fetch its description again.",
    Code.SERVER_INVALID: "The server's description is not valid, or does not go on from the one that is known.",
    Code.SERVER_UNKNOWN: "No description of this server is known here; send it first.",
    Code.RECORD_INVALID: "The signed record is not one of the standard, or of another feed; its origin must mend it.",
    Code.FEED_EQUIVOCAL: "The origin signed two contents under one number; none of its feed is believed any more.",
    Code.PEER_QUOTA: "The peer has sent more than it may; what is over is not kept.",
    Code.PEER_PATH: "The records went through too many servers, or through this one before.",
    Code.FRAME_FOREIGN: "The frame was not made for this receiver, this connection, its place in it, or this time.",
    Code.PEER_UNAPPROVED: "No operator here has approved this server, or one has revoked it: `openslot peer approve`.",
    Code.PEER_AWAY: "The peer does not answer, or not as a server of this standard; check its address.",
}


ENVIRONMENT = frozenset(
    {
        Code.PORT_IN_USE,
        Code.SERVER_AWAY,
        Code.STORAGE_FAILED,
        Code.STORAGE_DAMAGED,
        Code.INTERNAL,
        Code.PREVIEW_UNAVAILABLE,
    }
)
UNREAD = frozenset({Code.FILE_NOT_FOUND, Code.FILE_INVALID, Code.GLTF_NOT_READ, Code.MALFORMED, Code.PATHS_INVALID})
UNUSABLE = frozenset({Code.CONFIG_INVALID, Code.ARGUMENT_INVALID, Code.PROFILE_UNKNOWN})


def exit_code(code: Code) -> int:
    """Return what a command's process says when it ends with `code`.

    1 the answer is no, or a check failed · 2 the input could not be read, or the words are wrong · 3 the place it runs
    in: a port in use, a server away, a disk that fails.
    """
    return 3 if code in ENVIRONMENT else 2 if code in UNREAD | UNUSABLE else 1


class OpenSlotError(Exception):
    """A refusal: a stable code, what is wrong in this case, and where.

    Args:
        code: the stable name.
        detail: one clause about this case, with the numbers that matter.
        where: a JSON pointer, field or file the error is about; empty when there is none.
        retry_after_ms: when trying again makes sense; 0 when it does not.
    """

    def __init__(self, code: Code, detail: str = "", *, where: str = "", retry_after_ms: int = 0) -> None:
        super().__init__(code, detail, where)
        self.code = code
        self.detail = detail
        self.where = where
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        place = f" at {self.where}" if self.where else ""
        case = f": {self.detail.rstrip('.')}" if self.detail else ""
        return f"{self.code}{place}{case}. {SENTENCES[self.code]}"
