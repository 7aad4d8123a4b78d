"""Review: what waits where and why, and that demand and screens obey."""

import hashlib
import io
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from openslot_gltf import panel, write_glb
from openslot_server.cli.main import app as cli
from openslot_server.creatives import likeness
from openslot_server.creatives.intake import Intake
from openslot_server.creatives.likeness import GATE, difference_hash
from openslot_server.creatives.review import PLATFORM, Decision, Policy, Review, Reviews, Why
from openslot_server.creatives.sandbox import Sandbox
from openslot_server.creatives.verdict import Tier, Verdict
from openslot_server.demand.model import Creative
from openslot_server.keys import Principal
from openslot_server.sessions import Seat
from openslot_spec.messages import Placements, PlacementsGet, PlacementsRevoked, SlotsPut
from openslot_spec.slots import SlotTerms
from tests.server.glbs import board
from tests.server.live import CREATIVE, OPERATOR, SLOT, live
from tests.server.serving import Serving, line_item_draft, serving

DATA = board()
SHA256 = hashlib.sha256(DATA).hexdigest()
MORE: dict[str, Any] = {
    "media_type": "model/gltf-binary",
    "size_bytes": 10,
    "advertiser": "aurora",
    "label": "Ad · Tea",
}


def creative(**changes: Any) -> Creative:
    return Creative(**(MORE | {"sha256": SHA256} | changes))


def reviews(world: str = PLATFORM, **policy: Any) -> Reviews:
    made = Reviews()
    made.set_policy(world, Policy(**policy), 0)
    return made


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"landing_url": "http://tea.example/"}, [Why.LANDING_SCHEME]),
        ({"landing_url": "https://127.0.0.1/"}, [Why.LANDING_HOST]),
        ({"landing_url": "https://[::1]/"}, [Why.LANDING_HOST]),
        ({"landing_url": "https://[bad/"}, [Why.LANDING_HOST]),
        ({"landing_url": "https://localhost/"}, [Why.LANDING_HOST]),
        ({"landing_url": "https://2130706433/"}, [Why.LANDING_HOST]),
        ({"landing_url": "https://shop.0x7f/"}, [Why.LANDING_HOST]),
        ({"landing_url": "https://10.0.0.1.:443/"}, [Why.LANDING_HOST]),
        ({"landing_url": "https://printer.local/"}, [Why.LANDING_HOST]),
        ({"landing_url": "https://bank.example@evil.example/"}, [Why.LANDING_HOST]),
        ({"landing_url": "https://xn--pple-43d.example/"}, [Why.LANDING_HOST]),
        ({"landing_url": "https://tea.example/?to=a@b.example"}, []),
        ({"landing_url": "https://Tea.Example:8443/"}, []),
        ({}, []),
    ],
)
def test_a_landing_page_that_cannot_be_known_is_looked_at_by_a_human(changes: dict[str, Any], why: list[Why]) -> None:
    standing = Reviews().standing(creative(**changes), PLATFORM)
    assert (standing.state, [*standing.reasons]) == ("pending" if why else "approved", why)


@pytest.mark.parametrize(
    ("policy", "changes", "why"),
    [
        ({"words_blocked": ["CASINO"]}, {"label": "Ad · MegaCasino"}, Why.WORD_BLOCKED),
        ({"words_blocked": ["casino"]}, {"label": "Ad · ｃａｓｉｎｏ"}, Why.WORD_BLOCKED),
        ({"words_blocked": ["casino"]}, {"landing_url": "https://casino.example/"}, Why.WORD_BLOCKED),
        ({"words_blocked": ["casino"]}, {"landing_url": "https://tea.example/casino"}, None),
        ({"advertisers_blocked": ["aurora"]}, {}, Why.ADVERTISER_BLOCKED),
        ({"advertisers_blocked": ["borealis"]}, {}, None),
        ({"categories_blocked": ["IAB7"]}, {"categories": ("IAB7-39",)}, Why.CATEGORY_BLOCKED),
        ({"categories_blocked": ["IAB7-39"]}, {"categories": ("IAB7",)}, None),
        ({"categories_required": True}, {}, Why.CATEGORY_MISSING),
        ({"rating_max": "teen"}, {"rating": "mature"}, Why.RATING),
        ({"rating_max": "teen"}, {}, Why.RATING),
        ({"rating_max": "teen"}, {"rating": "everyone"}, None),
        ({"languages": ["de"]}, {"language": "de-AT"}, None),
        ({"languages": ["de"]}, {"language": "fr"}, Why.LANGUAGE),
        ({"languages": ["de"]}, {}, Why.LANGUAGE),
    ],
)
def test_a_place_shows_only_what_its_policy_lets_in(
    policy: dict[str, Any], changes: dict[str, Any], why: Why | None
) -> None:
    made = reviews("plaza", **policy)
    standing = made.standing(creative(**changes), "plaza")
    assert (standing.state, standing.reasons) == (("refused", (why,)) if why else ("approved", ()))
    clearance = made.clearance(creative(**changes))
    assert clearance is not None
    assert clearance.admits("plaza", reviews=False) is (why is None)
    assert clearance.admits("mall", reviews=False)


def test_a_block_list_beats_what_somebody_said_before() -> None:
    made = reviews("plaza")
    made.decide(Review(sha256=SHA256, world="plaza", state="approved"))
    made.set_policy("plaza", Policy(advertisers_blocked=("aurora",)), 0)
    assert made.standing(creative(), "plaza").state == "refused"


def placed(served: Serving, world: str) -> list[str]:
    """Return what a world is given for its board now."""
    seat = Seat(world, "s")
    served.server.answer(seat, SlotsPut(slots=(SLOT,)))
    answer, _ = served.server.answer(seat, PlacementsGet(slots=("north",)))
    assert isinstance(answer, Placements)
    return [one.creative.sha256 for one in answer.placements]


async def judge(served: Serving, who: str, state: str, sha256: str = SHA256, **said: Any) -> Any:
    record = {"state": state} | ({"reasons": ["review.offensive"]} if state == "refused" else {}) | said
    answer = await served.ask(who, "PUT", f"/v1/reviews/{sha256}", json=record)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def queue(served: Serving, who: str, state: str = "pending") -> list[str]:
    page = (await served.ask(who, "GET", "/v1/reviews", params={"state": state})).json()
    return [item["creative"]["sha256"] for item in page["items"]]


async def test_a_world_that_reviews_shows_what_it_approved_and_no_other_world_waits(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.line_item()
        sha256 = hashlib.sha256(board(name="aurora")).hexdigest()
        assert placed(served, "plaza") == placed(served, "mall") == [sha256]
        await served.ask("plaza", "PUT", "/v1/policy", json={"reviews": True})
        assert (placed(served, "plaza"), placed(served, "mall")) == ([], [sha256])
        assert (await queue(served, "plaza"), await queue(served, "mall")) == ([sha256], [])
        said = (await served.ask("aurora", "GET", f"/v1/creatives/{sha256}/reviews")).json()["items"]
        assert [(one["world"], one["reasons"]) for one in said] == [("plaza", ["review.not_yet"])]
        await judge(served, "plaza", "approved", sha256)
        assert (placed(served, "plaza"), await queue(served, "plaza")) == ([sha256], [])
        await judge(served, "mall", "refused", sha256)
        assert (placed(served, "plaza"), placed(served, "mall")) == ([sha256], [])
    async with serving(tmp_path) as served:  # a restart changes nothing of it
        assert (placed(served, "plaza"), placed(served, "mall")) == ([sha256], [])


async def test_the_platform_comes_before_all_worlds(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.ask("judge", "PUT", "/v1/policy", json={"reviews": True})
        await served.line_item()
        sha256 = hashlib.sha256(board(name="aurora")).hexdigest()
        assert (placed(served, "plaza"), await queue(served, "judge")) == ([], [sha256])
        assert await queue(served, "plaza", "approved") == []  # it is none of theirs yet
        await judge(served, "judge", "approved", sha256)
        assert placed(served, "plaza") == [sha256]
        refused = await judge(served, "judge", "refused", sha256, note="the claim is false")
        assert (refused["by"], refused["note"]) == ("reviewer judge", "the claim is false")
        assert placed(served, "plaza") == []


async def test_of_several_creatives_a_world_shows_those_that_it_lets_in(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        first, second = board(4, 2, name="first"), board(4, 2, name="second")
        names = []
        for data, label in ((first, "Ad · Casino"), (second, "Ad · Tea")):
            names.append((await served.upload("aurora", data, label=label)).json()["creative"]["sha256"])
        draft = line_item_draft(await served.campaign(), first) | {"creatives": names}
        assert (await served.ask("aurora", "POST", "/v1/line-items", json=draft)).status_code == 201
        await served.ask("plaza", "PUT", "/v1/policy", json={"words_blocked": ["casino"]})
        await served.ask("mall", "PUT", "/v1/policy", json={"reviews": True})
        await judge(served, "mall", "approved", names[0])
        for _ in range(8):
            assert (placed(served, "plaza"), placed(served, "mall")) == ([names[1]], [names[0]])


async def test_a_refusal_needs_a_reason_and_a_judge_of_that_place(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.upload("aurora", DATA)
        bare = await served.ask("judge", "PUT", f"/v1/reviews/{SHA256}", json={"state": "refused"})
        assert (bare.status_code, bare.json()["error"]["where"]) == (422, "reasons")
        for who, params in (("plaza", {"world": "mall"}), ("judge", {"world": "plaza"}), ("aurora", {})):
            answer = await served.ask(who, "PUT", f"/v1/reviews/{SHA256}", params=params, json={"state": "approved"})
            assert answer.json()["error"]["code"] == "auth.role_forbidden"
        unknown = await served.ask("judge", "PUT", f"/v1/reviews/{'0' * 64}", json={"state": "approved"})
        assert unknown.json()["error"]["code"] == "creative.unknown"


async def test_what_a_world_refuses_leaves_its_screens_and_no_others(tmp_path: Path) -> None:
    async with live(tmp_path) as served:
        await served.line_item()
        key = await served.server.keys.add(OPERATOR, "world", "mall")
        async with served.world() as plaza, served.world(key=key, name="mall") as mall:
            await plaza.with_slot()
            await mall.with_slot()
            judge = Principal("world", "plaza")
            refused = Decision(state="refused", reasons=(Why.QUALITY,))
            await served.server.reviews.decide(judge, "plaza", CREATIVE, refused)
            told = await plaza.hear()
            assert told == PlacementsRevoked(creative=CREATIVE, reason=Why.QUALITY, final=False)
            got = await mall.ask(PlacementsGet(slots=("north",)))
            assert [one.creative.sha256 for one in got.placements] == [CREATIVE]
            assert (await plaza.ask(PlacementsGet(slots=("north",)))).placements == ()
        async with served.world() as plaza:  # who was away hears of it too
            await plaza.ready()
            assert await plaza.hear() == PlacementsRevoked(creative=CREATIVE, final=False)


def picture(shift: int = 0, colour: tuple[int, int, int] = (230, 90, 40)) -> Image.Image:
    image = Image.new("RGB", (240, 160), (20, 30, 60))
    draw = ImageDraw.Draw(image)
    for number in range(5):
        draw.ellipse((20 + 40 * number + shift, 10 + 23 * number, 70 + 40 * number, 60 + 20 * number), fill=colour)
    draw.rectangle((150, 20, 220, 60), fill=(240, 240, 240))
    return image


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def textured(image: bytes) -> bytes:
    """Return a model that shows a picture."""
    return write_glb(panel(image, SlotTerms(id="north", size=(3.0, 2.0))))


def distance(one: Image.Image, other: Image.Image) -> int:
    first, second = difference_hash(one), difference_hash(other)
    assert first is not None
    assert second is not None
    return (int(first, 16) ^ int(second, 16)).bit_count()


def test_what_looks_alike_has_hashes_that_are_near() -> None:
    image = picture()
    small = image.resize((90, 60), Image.Resampling.LANCZOS)
    lossy = Image.open(io.BytesIO(encoded(image, "JPEG", quality=30)))
    brighter = image.point([min(255, level + 25) for level in range(256)] * 3)
    for alike in (small, lossy, brighter, image.convert("RGBA")):
        assert distance(image, alike) <= 8
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for other in (mirrored, image.transpose(Image.Transpose.ROTATE_180)):
        assert distance(image, other) > 8
    assert difference_hash(Image.new("RGB", (64, 64), (200, 30, 30))) is None


class Looking(Sandbox):
    """What pictures look like, seen without a process of its own."""

    async def check(self, data: bytes, tier: Tier, _: SlotTerms | None = None) -> Verdict:
        return Verdict.model_validate_json(likeness.examine(data, tier))


async def test_what_looks_like_a_refused_creative_waits_for_a_human(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        app = served.client._transport.app  # type: ignore[attr-defined]
        app.state.intake = Intake(app.state.intake._sandbox, app.state.library, Looking())
        first, second, third, model, other = [
            (await served.upload("aurora", data)).json()["creative"]["sha256"]
            for data in (
                encoded(picture()),
                encoded(picture(1), "JPEG", quality=60),
                encoded(picture().transpose(Image.Transpose.ROTATE_180)),
                textured(encoded(picture(2))),
                DATA,
            )
        ]
        await judge(served, "judge", "refused", first)
        assert sorted(await queue(served, "judge")) == sorted([second, model])
        again = (await served.upload("borealis", encoded(picture(), "WEBP", lossless=True))).json()["creative"][
            "sha256"
        ]
        assert again in await queue(served, "judge")
        said = (await served.ask("borealis", "GET", f"/v1/creatives/{again}/reviews")).json()["items"]
        assert said[0]["reasons"] == ["review.like_refused"]
        await judge(served, "judge", "approved", again)
        assert again not in await queue(served, "judge")
        assert {third, other} <= set(await queue(served, "judge", "approved"))


async def test_pictures_are_looked_at_in_the_sandbox() -> None:
    sandbox = Sandbox(gate=GATE)
    try:
        for data in (encoded(picture()), encoded(picture(), "JPEG"), textured(encoded(picture()))):
            seen = await sandbox.check(data, "M")
            assert seen.stats is not None
            assert len(seen.stats.likeness or ()) == 1
        assert not (await sandbox.check(b"\x89PNG broken", "M")).accepted
    finally:
        await sandbox.close()


def test_the_command_lists_approves_and_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, Any, dict[str, str]]] = []

    def answer(method: str, url: str, *, params: dict[str, str], json: Any, **_: Any) -> Any:
        asked.append((method, url, json, params))
        item = {"creative": creative().plain(), "review": {"reasons": ["review.not_yet"]}}
        body: Any = {"items": [item]} if method == "GET" else {"state": json["state"], "world": "plaza"}
        return type("Answer", (), {"is_success": True, "json": lambda _: body})()

    monkeypatch.setattr(httpx2, "request", answer)
    run = CliRunner().invoke
    words = ["--server", "http://here", "--key", "k", "--world", "plaza"]
    listed = run(cli, ["creative", "review", "list", *words])
    assert SHA256 in listed.stdout
    assert "Every creative is looked at" in listed.stdout
    refused = run(cli, ["creative", "review", "refuse", SHA256, "--reason", "review.quality", *words])
    assert (refused.exit_code, refused.stdout) == (0, "refused in plaza\n")
    assert run(cli, ["creative", "review", "approve", SHA256, "--json", *words]).exit_code == 0
    assert [(method, url, json) for method, url, json, _ in asked] == [
        ("GET", "http://here/v1/reviews", None),
        ("PUT", f"http://here/v1/reviews/{SHA256}", {"state": "refused", "reasons": ["review.quality"], "note": ""}),
        ("PUT", f"http://here/v1/reviews/{SHA256}", {"state": "approved", "reasons": [], "note": ""}),
    ]
    assert all(params["world"] == "plaza" for *_, params in asked)
