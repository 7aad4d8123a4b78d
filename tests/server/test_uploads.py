import hashlib
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_server.creatives.uploads import EXPIRES_MS, OPEN_OF_ONE, Uploads
from openslot_spec.errors import Code, OpenSlotError
from tests.server.glbs import board
from tests.server.serving import NOW_MS, Serving, serving

DATA = board()
SIZE = len(DATA)
SHA256 = hashlib.sha256(DATA).hexdigest()
TUS = {"Tus-Resumable": "1.0.0"}


def part_from(offset: int) -> dict[str, str]:
    return TUS | {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}


async def begin(served: Serving, length: int = SIZE, who: str = "aurora") -> Any:
    return await served.ask(who, "POST", "/v1/uploads", headers=TUS | {"Upload-Length": str(length)})


async def send(served: Serving, place: str, offset: int, data: bytes, who: str = "aurora") -> Any:
    return await served.ask(who, "PATCH", place, headers=part_from(offset), content=data)


def refused(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_parts_make_a_creative_like_one_that_came_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        began = await begin(served)
        place = began.headers["location"]
        assert (began.status_code, began.headers["upload-offset"]) == (201, "0")
        first = await send(served, place, 0, DATA[:100])
        assert (first.status_code, first.content, first.headers["upload-offset"]) == (204, b"", "100")
        head = await served.ask("aurora", "HEAD", place, headers=TUS)
        assert (head.headers["upload-offset"], head.headers["upload-length"]) == ("100", str(SIZE))
        assert head.headers["cache-control"] == "no-store"
        assert refused(await served.ask("aurora", "POST", f"{place}/creative", params={"label": "Ad"})) == (
            409,
            "upload.conflict",
        )
        assert (await send(served, place, 100, DATA[100:])).headers["upload-offset"] == str(SIZE)
        made = await served.ask("aurora", "POST", f"{place}/creative", params={"label": "Ad · Aurora"})
        assert made.status_code == 201, made.text
        assert made.json()["creative"]["sha256"] == SHA256
        assert (await served.ask("", "GET", made.json()["url"])).content == DATA
        assert (await served.ask("aurora", "GET", place)).json()["error"]["code"] == "upload.unknown"


async def test_a_restart_costs_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        place = (await begin(served)).headers["location"]
        await send(served, place, 0, DATA[:300])
    async with serving(tmp_path) as served:
        assert (await served.ask("operator", "GET", place)).json()["offset_bytes"] == 300
        await served.ask("operator", "PATCH", place, headers=part_from(300), content=DATA[300:])
        said = {"label": "Ad", "advertiser": "aurora"}
        assert (await served.ask("operator", "POST", f"{place}/creative", params=said)).status_code == 201


async def test_what_does_not_go_on_where_it_stands_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        place = (await begin(served)).headers["location"]
        await send(served, place, 0, DATA[:50])
        assert refused(await send(served, place, 0, DATA[:50])) == (409, "upload.conflict")
        assert refused(await send(served, place, 51, DATA[51:])) == (409, "upload.conflict")
        assert refused(await send(served, place, 50, DATA)) == (413, "creative.too_large")
        assert refused(await send(served, place, 50, b"x", who="borealis")) == (403, "auth.role_forbidden")
        bare = await served.ask("aurora", "PATCH", place, headers={"Upload-Offset": "50"}, content=b"x")
        assert refused(bare) == (412, "upload.version")
        other = await served.ask("aurora", "PATCH", place, headers=TUS | {"Upload-Offset": "50"}, content=b"x")
        assert refused(other) == (415, "http.media_unknown")
        worse = await served.ask("aurora", "PATCH", place, headers=part_from(50) | {"Upload-Offset": "-1"}, content=b"")
        assert refused(worse) == (422, "wire.invalid")
        assert (await served.ask("aurora", "GET", place)).json()["offset_bytes"] == 50


@pytest.mark.parametrize("length", ["0", "99999999999", "-5", "many", ""])
async def test_a_length_that_cannot_be_is_refused_at_once(tmp_path: Path, length: str) -> None:
    async with serving(tmp_path) as served:
        answer = await served.ask("aurora", "POST", "/v1/uploads", headers=TUS | {"Upload-Length": length})
        assert refused(answer)[1] in {"creative.too_large", "wire.invalid"}


async def test_an_upload_can_be_ended_and_what_is_spoken_is_said_without_a_key(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        place = (await begin(served)).headers["location"]
        assert (await served.ask("aurora", "DELETE", place, headers=TUS)).status_code == 204
        assert refused(await served.ask("aurora", "DELETE", place, headers=TUS)) == (404, "upload.unknown")
        said = (await served.ask("", "OPTIONS", "/v1/uploads")).headers
        assert (said["tus-version"], said["tus-extension"]) == ("1.0.0", "creation,expiration,termination")


async def test_a_quota_holds_for_what_is_kept_and_what_is_coming(tmp_path: Path) -> None:
    async with serving(tmp_path, quota_bytes=2 * SIZE + 100, quota_creatives=3) as served:
        assert (await served.upload("aurora", DATA)).status_code == 201
        assert (await begin(served)).status_code == 201
        assert refused(await begin(served)) == (413, "creative.quota")
        assert (await served.upload("aurora", DATA)).status_code == 201  # the same again is nothing more
        assert (await begin(served, who="borealis")).status_code == 201  # each has its own
    (tmp_path / "other").mkdir()
    async with serving(tmp_path / "other", quota_creatives=1) as served:
        assert (await served.upload("aurora", DATA)).status_code == 201
        assert refused(await served.upload("aurora", board(3, 1))) == (413, "creative.quota")
        assert [place.name for place in served.server.settings.library.glob("?" * 64)] == [SHA256]
        await served.ask("aurora", "DELETE", f"/v1/creatives/{SHA256}")
        assert (await served.upload("aurora", board(3, 1))).status_code == 201


def test_an_upload_of_which_nothing_comes_for_a_day_is_given_up(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path)
    stale = uploads.begin("aurora", 10, bytes(16), NOW_MS)
    fresh = uploads.begin("aurora", 10, b"x" * 16, NOW_MS)
    uploads.append(fresh.id, b"12345", NOW_MS + 1)
    uploads.expire(NOW_MS + EXPIRES_MS)
    assert uploads.offset(fresh.id) == 5
    with pytest.raises(OpenSlotError) as gone:
        uploads.find(stale.id)
    assert gone.value.code is Code.UPLOAD_UNKNOWN
    assert {place.name for place in tmp_path.iterdir()} == {fresh.id, f"{fresh.id}.json"}


def test_one_account_does_not_take_the_place_of_all(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path)
    for number in range(OPEN_OF_ONE):
        uploads.begin("aurora", 10, bytes([number]) * 16, NOW_MS)
    with pytest.raises(OpenSlotError) as many:
        uploads.begin("aurora", 10, b"y" * 16, NOW_MS)
    assert many.value.code is Code.RATE_LIMITED
    uploads.begin("borealis", 10, b"z" * 16, NOW_MS)


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.booleans()), max_size=12))
def test_any_parts_and_restarts_make_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, bool, bool]]
) -> None:
    folder, data = tmp_path_factory.mktemp("parts"), bytes(range(200))
    uploads = Uploads(folder)
    upload = uploads.begin("aurora", len(data), bytes(16), NOW_MS)
    for size, restarts, is_torn in cuts:
        offset = uploads.offset(upload.id)
        uploads.append(upload.id, data[offset : offset + size], NOW_MS)
        if is_torn:  # a crash before the answer: the sidecar alone is half there
            (folder / ("f" * 32)).write_bytes(b"torn")
        if restarts:
            uploads = Uploads(folder)
    offset = uploads.offset(upload.id)
    assert offset == min(len(data), sum(size for size, _, _ in cuts))
    uploads.append(upload.id, data[offset:], NOW_MS)
    assert uploads.read(upload.id) == data
