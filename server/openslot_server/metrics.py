"""Counters for whoever runs the server. Nothing is billed or reported from them: reports are recounts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from openslot_server.rooms import Rooms
from openslot_spec.messages import Error, ExposuresAck, Message, Placements

__all__ = ["Metrics"]


class Metrics:
    """One server's figures, in a registry of their own."""

    def __init__(self, rooms: Rooms) -> None:
        self._registry = CollectorRegistry()
        self.connections = self._gauge("connections", "Worlds connected now")
        self._placements = self._counter("placements", "Slots answered, by outcome", "outcome")
        self._events = self._counter("events", "Exposure events, by verdict", "verdict")
        self._answers = self._counter("answers", "Answers sent, by type", "type")
        self._refusals = self._counter("refusals", "Requests refused, by code", "code")
        self._gauge("placements_open", "Placements that may still be billed").set_function(
            lambda: len(rooms.budgets.placements)
        )
        self._gauge("ledger_records", "Records in the ledger").set_function(lambda: rooms.ledger.seq)

    def count(self, answer: Message) -> None:
        """Count an answer that is sent."""
        self._answers.labels(answer.TYPE).inc()
        match answer:
            case Placements():
                self._placements.labels("filled").inc(len(answer.placements))
                for none in answer.none:
                    self._placements.labels(none.reason.value).inc()
            case ExposuresAck(repeated=False):
                self._events.labels("accepted").inc(answer.accepted)
                for refused in answer.refused:
                    self._events.labels(refused.code).inc(refused.events)
            case Error():
                self._refusals.labels(answer.code).inc()

    def text(self) -> bytes:
        """Return the figures in the Prometheus text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, says: str, label: str) -> Counter:
        return Counter(f"openslot_{name}", says, [label], registry=self._registry)

    def _gauge(self, name: str, says: str) -> Gauge:
        return Gauge(f"openslot_{name}", says, registry=self._registry)
