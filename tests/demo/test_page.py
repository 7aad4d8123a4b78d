import copy
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from openslot_demo.page.screenshots import Shot, browser, open_page, take
from tests.demo.served_page import State, made_up_state, served

pytestmark = pytest.mark.xdist_group("browser")

PATIENCE_MS = 20_000
SMALL = Shot(world="gallery", size=(900, 700), ratio=0.5)


class Stage:
    """One open page, the state it is fed, and what it complained of and asked for."""

    def __init__(self, chromium: Browser, url: str, state: State) -> None:
        self.url, self.state = url, state
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page = open_page(chromium, url, SMALL, watch=self.watch)

    def watch(self, page: Page) -> None:
        page.on("console", lambda line: self.complaints.append(line.text) if line.type != "log" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def shows(self, selector: str, text: str) -> None:
        expect(self.page.locator(selector)).to_contain_text(text, timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def opened(chromium: Browser) -> Iterator[Stage]:
    state = made_up_state()
    with served(lambda: state) as url:
        stage = Stage(chromium, url, state)
        yield stage
        stage.page.close()


@pytest.fixture
def stage(opened: Stage) -> Iterator[Stage]:
    fresh = copy.deepcopy(opened.state)
    yield opened
    opened.state.clear()
    opened.state.update(fresh)
    expect(opened.page.locator("#banner")).to_be_hidden(timeout=PATIENCE_MS)


def test_the_world_is_drawn(stage: Stage) -> None:
    picture = Image.open(io.BytesIO(stage.page.locator("#canvas").screenshot())).convert("RGB")
    middle = np.asarray(picture)[120:-120, 60:-60].astype(np.float64)
    assert middle.std(axis=(0, 1)).min() > 15
    assert len(np.unique(middle.reshape(-1, 3), axis=0)) > 500


def test_it_says_nothing_bad_and_asks_only_its_own_server(stage: Stage) -> None:
    assert stage.complaints == []
    assert {url for url in stage.asked if not url.startswith(stage.url)} == set()
    assert f"{stage.url}scenes/gallery.glb" in stage.asked


def test_a_creative_in_two_slots_is_fetched_once(stage: Stage) -> None:
    fetched = [url for url in stage.asked if "/creatives/" in url]
    assert fetched
    assert len(fetched) == len(set(fetched))


def test_the_totals_are_the_given_ones(stage: Stage) -> None:
    assert [stage.text(f"[data-total={key}]") for key in ("requests", "filled", "rendered", "viewable", "spend")] == [
        "240",
        "186",
        "171",
        "118",
        "$0.472",
    ]


def test_each_slot_has_its_row(stage: Stage) -> None:
    slots = stage.state["worlds"][1]["slots"]
    assert stage.page.locator("#slots tr").count() == len(slots)
    row = stage.text("tr[data-slot=gallery-blue]").split("\t")
    assert row[0].split("\n")[0].startswith("Blue room portrait")
    assert row[2:] == ["29", "27", "24", "17", "2.3 s", "$0.068", "1"]


def test_the_funnel_names_each_reason_with_its_count_largest_first(stage: Stage) -> None:
    lines = stage.text("#funnel").replace("\n\n", "\n").split("\n")
    assert lines[:4] == ["off screen", "4,210", "seen from behind", "1,630"]


def test_equal_counts_are_said_to_be_equal(stage: Stage) -> None:
    assert stage.text("#agreement .verdict") == "SDK count = ledger count"
    assert stage.text("#agreement .pair").split() == ["118", "=", "118"]


def test_counts_on_their_way_are_said_to_be_on_their_way(stage: Stage) -> None:
    stage.state["agreement"] = {"sdk_viewable": 121, "ledger_viewable": 118, "agree": False}
    stage.shows("#agreement .verdict", "3 on their way")
    assert stage.text("#agreement .pair").split() == ["121", "→", "118"]
    stage.state["agreement"] = {"sdk_viewable": 118, "ledger_viewable": 121, "agree": False}
    stage.shows("#agreement .verdict", "≠")


def test_a_server_that_is_away_is_said_to_be_away(stage: Stage) -> None:
    stage.state["server"] = "down"
    stage.shows("#banner", "kept in the spools")
    stage.shows("#server", "server away")


def test_a_newly_counted_view_flashes_its_row(stage: Stage) -> None:
    stage.state["worlds"][1]["slots"][0]["viewable"] += 1
    expect(stage.page.locator("tr.flash")).to_have_attribute("data-slot", "gallery-hall", timeout=PATIENCE_MS)


def test_names_are_shown_as_text(stage: Stage) -> None:
    stage.state["worlds"][1]["slots"][0]["name"] = "<img src=x onerror=alert(1)>"
    stage.shows("#slots", "<img src=x")
    assert not stage.page.locator("#slots img").count()


def test_a_slot_can_be_looked_at_from_the_table(stage: Stage) -> None:
    stage.page.click("tr[data-slot=gallery-plum] button")
    away = stage.page.evaluate(
        "async () => { const { stage } = await import('./live.js'); return stage.camera.position.toArray(); }"
    )
    assert np.linalg.norm(np.array(away) - np.array([-15.85, 2.0, 7])) < 6


def test_arrow_keys_move_between_the_worlds(stage: Stage) -> None:
    stage.page.focus("[role=tab][aria-selected=true]")
    stage.page.keyboard.press("ArrowRight")
    assert stage.text("[role=tab][aria-selected=true]") == "Arcade"
    assert "Game hall screen" in stage.text("#slots")
    stage.page.keyboard.press("ArrowLeft")
    assert stage.text("[role=tab][aria-selected=true]") == "Gallery"


def test_on_a_phone_nothing_is_wider_than_the_page(stage: Stage) -> None:
    stage.page.set_viewport_size({"width": 360, "height": 740})
    wide = stage.page.evaluate("document.documentElement.scrollWidth")
    stage.page.set_viewport_size({"width": SMALL.size[0], "height": SMALL.size[1]})
    assert wide <= 360


def test_a_demo_that_is_still_starting_is_shown_without_complaint(chromium: Browser) -> None:
    complaints: list[str] = []
    with served(lambda: made_up_state() | {"worlds": [], "totals": {}, "funnel": {}}) as url:
        page = chromium.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        expect(page.locator("#phase")).to_have_text("walking", timeout=PATIENCE_MS)
        page.close()
    assert complaints == []


def test_it_polls_where_events_fail_and_says_when_the_demo_is_gone(chromium: Browser) -> None:
    page = chromium.new_page()
    with served(lambda: made_up_state() | {"worlds": []}, events=False) as url:
        page.goto(url)
        expect(page.locator("[data-total=viewable]")).to_have_text("118", timeout=PATIENCE_MS)
    expect(page.locator("#banner")).to_contain_text("has ended", timeout=PATIENCE_MS)
    page.close()


def test_a_picture_in_dark_colours_is_small_and_of_the_wanted_size(
    stage: Stage, chromium: Browser, tmp_path: Path
) -> None:
    shot = Shot(world="gallery", size=(900, 700), dark=True, settle_ms=300, slot="gallery-hall", ratio=0.5)
    path = take(stage.url, tmp_path / "shots" / "gallery.png", shot, chromium=chromium)
    picture = Image.open(path).convert("L")
    assert picture.size == (900, 700)
    assert path.stat().st_size < 300_000
    assert np.asarray(picture)[4:40, 300:420].mean() < 80


def test_without_chromium_one_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match="apt-get install chromium"), browser():
        pass
