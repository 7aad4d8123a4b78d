import gzip
import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from tests.server.glbs import board, glb, parts
from tests.server.serving import Serving, serving

DATA = board()
SHA256 = hashlib.sha256(DATA).hexdigest()
SIZE = len(DATA)
PATH = f"/assets/{SHA256}"
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path) as served:
        assert (await served.upload("aurora", DATA)).status_code == 201
        yield served


async def test_the_bytes_approved_are_the_bytes_served_for_ever_and_to_all(served: Serving) -> None:
    answer = await served.ask("", "GET", PATH, headers=PLAIN)
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-type"] == "model/gltf-binary"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["etag"] == f'"{SHA256}"'
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_what_was_repaired_is_served_repaired_and_named_so(served: Serving) -> None:
    document, binary = parts(board(name="with a camera"))
    camera = {"type": "perspective", "perspective": {"yfov": 1, "znear": 0.1}}
    answer = (await served.upload("aurora", glb(document | {"cameras": [camera]}, binary))).json()
    assert [finding["severity"] for finding in answer["findings"]] == ["repaired"]
    data = (await served.ask("", "GET", answer["url"])).content
    assert answer["creative"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert answer["creative"]["size_bytes"] == len(data)
    assert "cameras" not in parts(data)[0]
    assert (await served.upload("aurora", data)).json()["creative"] == answer["creative"]


async def test_a_head_has_the_headers_alone(served: Serving) -> None:
    whole, head = await served.ask("", "GET", PATH, headers=PLAIN), await served.ask("", "HEAD", PATH, headers=PLAIN)
    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.headers) == dict(whole.headers)


@pytest.mark.parametrize("field", [f'"{SHA256}"', f'W/"{SHA256}"', "*", f'"other", "{SHA256}"'])
async def test_what_is_known_is_not_sent_again(served: Serving, field: str) -> None:
    answer = await served.ask("", "GET", PATH, headers=PLAIN | {"If-None-Match": field})
    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize(
    ("field", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=4-11", 4, 12),
        ("bytes=4-", 4, SIZE),
        ("bytes=-4", SIZE - 4, SIZE),
        ("bytes=-999999", 0, SIZE),
        ("bytes=4-999999", 4, SIZE),
        (f"bytes={SIZE - 1}-{SIZE}", SIZE - 1, SIZE),
    ],
)
async def test_a_range_is_that_part(served: Serving, field: str, start: int, end: int) -> None:
    answer = await served.ask("", "GET", PATH, headers={"Range": field})
    assert (answer.status_code, answer.content) == (206, DATA[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"


@pytest.mark.parametrize("field", [f"bytes={SIZE}-", "bytes=999999-1000000", "bytes=-0"])
async def test_a_range_beyond_the_end_is_refused(served: Serving, field: str) -> None:
    answer = await served.ask("", "GET", PATH, headers={"Range": field})
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "field", ["bytes=9-3", "bytes=-", "bytes=a-b", "lines=0-3", "bytes=0-1,4-5", "bytes=" + "9" * 99]
)
async def test_a_range_that_is_none_gets_the_whole(served: Serving, field: str) -> None:
    answer = await served.ask("", "GET", PATH, headers={"Range": field})
    assert (answer.status_code, answer.content) == (200, DATA)


async def test_a_range_of_another_version_gets_the_whole(served: Serving) -> None:
    answer = await served.ask("", "GET", PATH, headers={"Range": "bytes=0-3", "If-Range": '"other"'})
    assert (answer.status_code, answer.content) == (200, DATA)


@pytest.mark.parametrize("name", ["0" * 64, SHA256.upper(), "x", "%00", "..%2f..%2fetc%2fpasswd", "incoming"])
async def test_what_was_never_approved_is_not_there(served: Serving, name: str) -> None:
    answer = await served.ask("", "GET", f"/assets/{name}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] in {"creative.unknown", "http.path_unknown"}


async def test_a_revoked_creative_is_gone_and_does_not_come_back(served: Serving) -> None:
    gone = await served.ask("aurora", "DELETE", f"/v1/creatives/{SHA256}", params={"reason": "withdrawn"})
    assert gone.json()["revoked"]
    answer = await served.ask("", "GET", PATH, headers=PLAIN)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "creative.unknown")
    assert answer.headers["cache-control"] == "no-store"
    again = await served.upload("aurora", DATA)
    assert (again.status_code, again.json()["error"]["code"]) == (422, "creative.refused")


async def test_bytes_that_were_swapped_after_approval_are_not_served(served: Serving) -> None:
    place = served.server.settings.library / SHA256
    place.write_bytes(board(9, 9))
    answer = await served.ask("", "GET", PATH, headers=PLAIN)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "creative.hash_mismatch")
    assert answer.headers["cache-control"] == "no-store"


async def test_another_method_is_refused_with_those_there_are(served: Serving) -> None:
    answer = await served.ask("", "POST", PATH)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "http.method_unknown")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


async def test_what_was_approved_is_served_after_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path) as first:
        await first.upload("aurora", DATA)
    async with serving(tmp_path) as second:
        assert (await second.ask("", "GET", PATH)).content == DATA


@pytest.mark.parametrize("field", ["gzip", "br, gzip;q=0.5", "*", "GZIP", "identity;q=0.5, *;q=0.1"])
async def test_who_takes_gzip_gets_the_model_packed_under_an_etag_of_its_own(served: Serving, field: str) -> None:
    async with served.client.stream("GET", PATH, headers={"Accept-Encoding": field}) as answer:
        packed = b"".join([piece async for piece in answer.aiter_raw()])
    assert answer.status_code == 200
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["etag"] == f'"{SHA256}-gzip"'
    assert answer.headers["vary"] == "Accept-Encoding"
    assert int(answer.headers["content-length"]) == len(packed) < SIZE
    assert gzip.decompress(packed) == DATA
    head = await served.ask("", "HEAD", PATH, headers={"Accept-Encoding": field})
    assert dict(head.headers) == dict(answer.headers)
    known = {"Accept-Encoding": field, "If-None-Match": answer.headers["etag"]}
    assert (await served.ask("", "GET", PATH, headers=known)).status_code == 304
    other = known | {"If-None-Match": f'"{SHA256}"'}  # what a cache holds plain is not what it asks for
    assert (await served.ask("", "GET", PATH, headers=other)).status_code == 200


@pytest.mark.parametrize("field", ["", "identity", "br", "gzip;q=0", "*;q=0.000", "gzip; q=0.0, *", "xgzip"])
async def test_who_does_not_take_gzip_gets_the_plain_bytes_and_caches_know(served: Serving, field: str) -> None:
    answer = await served.ask("", "GET", PATH, headers={"Accept-Encoding": field})
    assert (answer.content, answer.headers["etag"]) == (DATA, f'"{SHA256}"')
    assert "content-encoding" not in answer.headers
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_a_range_is_of_the_plain_bytes_whoever_takes_gzip(served: Serving) -> None:
    headers = {"Accept-Encoding": "gzip", "Range": "bytes=4-11"}
    answer = await served.ask("", "GET", PATH, headers=headers)
    assert (answer.status_code, answer.content) == (206, DATA[4:12])
    packed = headers | {"If-Range": f'"{SHA256}-gzip"'}  # the rest of a packed download does not continue a plain one
    assert (await served.ask("", "GET", PATH, headers=packed)).status_code == 200


@pytest.mark.parametrize("harm", ["cut", "swapped", "more", "gone"])
async def test_a_packed_file_that_does_not_hold_costs_nothing(served: Serving, harm: str) -> None:
    place = served.server.settings.library / f"{SHA256}.gz"
    match harm:
        case "cut":
            place.write_bytes(place.read_bytes()[:-1])
        case "swapped":
            place.write_bytes(gzip.compress(board(9, 9)))
        case "more":
            place.write_bytes(place.read_bytes() + b"x")
        case "gone":
            place.unlink()
    answer = await served.ask("", "GET", PATH, headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (200, DATA, f'"{SHA256}"')


async def test_an_image_is_never_packed(served: Serving) -> None:
    data = encoded_png()
    url = (await served.upload("aurora", data)).json()["url"]
    answer = await served.ask("", "GET", url, headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert not {"content-encoding", "vary"} & answer.headers.keys()


def encoded_png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 30)).save(file, "PNG")
    return file.getvalue()
