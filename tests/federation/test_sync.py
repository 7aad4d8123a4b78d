from __future__ import annotations

from itertools import pairwise

import pytest

from tests.federation.mesh import Mesh, equivocate

SEEDS = 1_000
RING = [*pairwise(range(6)), (0, 5)]


def storm(seed: int) -> Mesh:
    """Return servers after a time of changes, losses, doubles, partitions and crashes, and then of peace."""
    mesh = Mesh(3 + seed % 3, seed=seed)
    chance = mesh.chance
    mesh.loss, mesh.doubling, mesh.delay_ms = chance.choice([0, 0.1, 0.4]), chance.choice([0, 0.2]), 1_500
    mesh.connect()
    for _ in range(chance.randrange(4, 12)):
        number = chance.randrange(len(mesh.nodes))
        match chance.randrange(8):
            case 0:
                mesh.cut = set(chance.sample(mesh.edges, chance.randrange(len(mesh.edges))))
            case 1:
                mesh.nodes[number].crash()
                mesh.reconnect(number)
            case 2:
                mesh.say(number, chance.choice("abc"), None)
            case _:
                mesh.say(number, chance.choice("abc"), chance.randrange(1, 9))
        mesh.pass_on(chance.randrange(2_000))
    return mesh


def heal(mesh: Mesh) -> None:
    mesh.loss, mesh.cut = 0.0, set()
    mesh.settle(4)


@pytest.mark.parametrize("part", range(8))
def test_any_order_loss_double_partition_and_crash_end_in_one_catalogue(part: int) -> None:
    for seed in range(part, SEEDS, 8):
        mesh = storm(seed)
        heal(mesh)
        assert len({node.state() for node in mesh.nodes}) == 1, f"seed {seed}"
        assert not any(node.book.proofs for node in mesh.nodes), f"seed {seed}"
        told = [sorted(name for _, _, slot in node.book.slots() for name in [slot.id]) for node in mesh.nodes]
        assert all(names == told[0] for names in told), f"seed {seed}"


def test_a_server_that_says_two_things_is_found_by_all() -> None:
    for seed in range(60):
        mesh = storm(seed)
        liar = mesh.nodes[seed % len(mesh.nodes)]
        mesh.say(liar.number, "a", 9)
        heal(mesh)
        equivocate(liar, "b", 8)
        liar.sync.links.clear()
        mesh.reconnect(liar.number)
        heal(mesh)
        honest = [node for node in mesh.nodes if node is not liar]
        assert all({liar.origin} == {*node.book.proofs} for node in honest), f"seed {seed}"
        assert all(feed.origin != liar.origin for node in honest for feed, _, _ in node.book.slots())


@pytest.mark.parametrize(("nodes", "edges"), [(6, RING), (6, None)], ids=["ring", "mesh"])
def test_each_record_reaches_every_peer_and_goes_over_each_link_once_or_twice(
    nodes: int, edges: list[tuple[int, int]] | None
) -> None:
    mesh = Mesh(nodes, edges)
    mesh.connect()
    mesh.pass_on(1_000)
    for number in range(nodes):
        for name in "abcd":
            mesh.say(number, name, 1)
            mesh.pass_on(300)
    mesh.settle(2)
    assert {len(list(node.book.slots())) for node in mesh.nodes} == {nodes * 4}
    assert mesh.carried <= 2 * len(mesh.edges) * nodes * 4


def test_records_go_through_four_servers_at_the_most() -> None:
    mesh = Mesh(6, list(pairwise(range(6))))
    mesh.connect()
    mesh.pass_on(1_000)
    mesh.say(0, "a", 1)
    mesh.settle(3)
    assert [len(list(node.book.slots())) for node in mesh.nodes] == [1, 1, 1, 1, 1, 0]


def test_what_is_said_to_one_peer_is_carried_to_no_other() -> None:
    mesh = Mesh(3)
    mesh.connect()
    mesh.pass_on(1_000)
    mesh.say(0, "a", 1, mesh.nodes[1].origin)
    mesh.settle(3)
    assert [len(list(node.book.slots())) for node in mesh.nodes] == [1, 1, 0]
