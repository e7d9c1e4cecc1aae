"""The page in a real browser, over the real demo: what a person sees and does.

With ``KAZASU_PICTURE=1`` the picture of the page that the README shows is made anew.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from provisioning import parts

ROOT = Path(__file__).resolve().parents[3]
PICTURE = ROOT / "provisioning" / "demo" / "page.png"
WIDTH, HEIGHT = 1366, 768
PATIENCE_MS = 15_000
START_S = 60
BROWSER = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--mute-audio"]
LIT_DOTS = """
canvas => {
  const dots = canvas.getContext('2d').getImageData(0, 0, 128, 64).data;
  let lit = 0;
  for (let place = 0; place < dots.length; place += 4) lit += dots[place] > 128;
  return lit;
}
"""
NOTE_WORDS = """
tile => {
  document.noted = new Set();
  const watch = new MutationObserver(() => document.noted.add(tile.innerText));
  watch.observe(tile, { subtree: true, childList: true, characterData: true, attributes: true });
}
"""

expect.set_options(timeout=PATIENCE_MS)

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A running demo; gives the page's address."""
    command = [sys.executable, "-m", "provisioning.demo", "--no-browser", "--lang", "ja"]
    # NiceGUI would take the variable to mean that it runs inside the test itself.
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    demo = subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert demo.stdout is not None
    with demo.stdout as said:
        found = None
        heard = ""
        while found is None:
            line = said.readline()
            heard += line
            assert line, heard
            found = re.search(r"http://127\.0\.0\.1:\d+/", line)
        yield found[0]
        demo.send_signal(signal.SIGINT)
        assert demo.wait(START_S) == 0


@pytest.fixture(scope="module")
def shared_page(address: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=parts.chromium(), args=BROWSER, env=dict(parts.environment())
        )
        page = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}).new_page()
        page.set_default_timeout(PATIENCE_MS)
        yield page
        browser.close()


@pytest.fixture
def page(shared_page: Page, address: str) -> Page:
    """The page, freshly loaded; requests to anybody else fail the test that made them."""
    strangers: list[str] = []
    shared_page.on("request", lambda asked: _note_stranger(asked.url, address, strangers))
    shared_page.goto(address)
    expect(shared_page.locator(".kz-oled")).to_be_visible()
    assert strangers == []
    return shared_page


def _note_stranger(url: str, address: str, strangers: list[str]) -> None:
    socket = address.replace("http", "ws", 1)
    if not url.startswith((address, socket, "data:", "blob:")):
        strangers.append(url)


def newest(page: Page, text: str = "") -> str:
    """The reason code of the newest record (with ``text`` in it)."""
    row = page.locator("tbody tr[data-reason]").filter(has_text=text).first
    return row.get_attribute("data-reason") or ""


def test_the_page_fits_one_screen_and_its_display_shows_something(page: Page) -> None:
    fits = """size => document.documentElement.scrollWidth === size[0]
        && document.documentElement.scrollHeight === size[1]"""
    for width, height in ((1280, 620), (1920, 960), (WIDTH, HEIGHT)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(fits, arg=[width, height])
        enlarged = page.locator(".kz-oled").evaluate("canvas => canvas.clientWidth / 128")
        assert enlarged == int(enlarged) > 1
        for part in (".kz-unit", ".kz-doorway", ".kz-place >> nth=8", ".kz-about", ".kz-open"):
            box = page.locator(part).bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["y"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= height
    assert page.locator(".kz-oled").evaluate(LIT_DOTS) > 100


def test_a_morning_at_the_archive_as_the_readme_shows_it(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    for key, reason in (("5", "wrong_key"), ("3", "certificate_expired"), ("2", "no_permit")):
        page.keyboard.press(key)
        proven = page.locator(f"tbody tr[data-reason={reason}][data-stage='3']")
        expect(proven.first).to_be_visible()
    page.keyboard.press("1")
    expect(page.locator("tbody tr[data-reason=permitted][data-stage='3']").first).to_be_visible()
    expect(page.locator(".kz-lamp.ring")).to_have_class(re.compile(r"\bon\b"))
    if os.environ.get("KAZASU_PICTURE"):
        PICTURE.write_bytes(page.screenshot())
    page.emulate_media(reduced_motion="no-preference")


def test_a_record_can_be_read_whole_and_names_nobody(page: Page) -> None:
    page.keyboard.press("1")
    expect(page.locator("tbody tr[data-reason=permitted]").first).to_be_visible()
    page.locator("tbody tr[data-reason=permitted]").first.click()
    opened = page.locator(".kz-opened")
    expect(opened).to_contain_text("職員の符号")
    expect(opened).to_contain_text("permitted")
    assert "鈴木" not in opened.inner_text()
    page.keyboard.press("Escape")
    expect(opened).to_be_hidden()


def test_key_one_taps_suzukis_card_the_ring_lights_and_the_record_is_received(page: Page) -> None:
    page.keyboard.press("1")
    expect(page.locator(".kz-lamp.ring")).to_have_class(re.compile(r"\bon\b"))
    expect(page.locator(".kz-door")).to_have_class(re.compile(r"\bopen\b"))
    row = page.locator("tbody tr[data-reason=permitted]").first
    expect(row).to_contain_text("鈴木")
    expect(row).to_have_attribute("data-stage", "3")
    expect(page.locator(".kz-steps .done").first).to_be_visible()


def test_a_click_on_satos_card_is_refused_with_the_cross(page: Page) -> None:
    page.locator("[data-key=sato]").click()
    expect(page.locator(".kz-lamp.cross")).to_have_class(re.compile(r"\bon\b"))
    expect(page.locator("tbody tr[data-reason=no_permit]").first).to_contain_text("佐藤")
    expect(page.locator(".kz-door")).not_to_have_class(re.compile(r"\bopen\b"))


def test_a_card_dragged_onto_the_reader_lies_there_until_it_is_taken(page: Page) -> None:
    card = page.locator("[data-key=suzuki]")
    card.drag_to(page.locator("#kz-reader"))
    expect(card).to_have_attribute("aria-pressed", "true")
    card.click()
    expect(card).to_have_attribute("aria-pressed", "false")


def test_with_the_lan_pulled_taps_go_on_and_arrive_when_it_is_plugged_in(page: Page) -> None:
    lan = page.locator("[data-key=lan]")
    lan.click()
    expect(lan).to_have_attribute("aria-checked", "true")
    page.keyboard.press("2")
    waiting = page.locator("tbody tr[data-reason=no_permit]").first
    expect(waiting).to_have_attribute("data-stage", "1")
    lan.evaluate(NOTE_WORDS)
    lan.click()
    expect(lan).to_have_attribute("aria-checked", "false")
    expect(waiting).to_have_attribute("data-stage", "3", timeout=60_000)
    expect(page.locator(".kz-counts dd").first).to_have_text("0")
    expect(lan).to_contain_text("つながっています")
    first, last = page.evaluate("[...document.noted].filter(one => !one.includes('抜けて'))")
    assert "つなぎ直しています" in first
    assert "つながっています" in last


def test_a_double_click_turns_a_switch_once(page: Page) -> None:
    lan = page.locator("[data-key=lan]")
    for becomes in ("true", "false"):
        lan.dblclick()
        expect(lan).to_have_attribute("aria-checked", becomes)
        # Long enough for the second click to have been acted upon.
        page.keyboard.press("2")
        expect(page.locator("tbody tr[data-reason=no_permit].fresh").first).to_be_visible()
        expect(lan).to_have_attribute("aria-checked", becomes)
    expect(page.locator(".kz-counts dd").first).to_have_text("0", timeout=60_000)


def test_a_change_that_another_page_has_signed_is_not_signed_the_other_way(
    page: Page, address: str
) -> None:
    second = page.context.new_page()
    second.goto(address)
    for one in (page, second):
        one.locator("[data-key=permit]").click()
        expect(one.locator(".kz-paper")).to_be_visible()
    active = page.locator("tbody tr[data-reason=publication_active]")
    before = active.count()
    page.locator(".kz-paper .go").click()
    expect(active).to_have_count(before + 1)
    permit = page.locator("[data-key=permit]")
    expect(permit).to_have_class(re.compile(r"\bon\b"))
    second.locator(".kz-paper .go").click()
    expect(second.locator(".kz-paper")).to_be_hidden()
    second.close()
    permit.click()
    expect(page.locator(".kz-paper .gains")).to_contain_text("鈴木")
    page.locator(".kz-paper .go").click()
    expect(active).to_have_count(before + 2)
    expect(permit).not_to_have_class(re.compile(r"\bon\b"))


def test_a_paper_that_lies_open_is_put_away_when_something_else_is_begun(page: Page) -> None:
    permit, paper = page.locator("[data-key=permit]"), page.locator(".kz-paper")
    permit.click()
    expect(paper).to_be_visible()
    page.locator(".kz-key").first.click()
    expect(paper).to_be_hidden()
    permit.click()
    expect(paper).to_be_visible()
    page.keyboard.press("2")
    expect(paper).to_be_hidden()
    # The button's wish is used up by that card.
    expect(page.locator("tbody tr[data-reason=punched_in]").first).to_contain_text("佐藤")


def test_another_pages_script_gets_no_socket(page: Page, address: str) -> None:
    open_socket = """address => new Promise(told => {
        const place = '_nicegui_ws/socket.io/?EIO=4&transport=websocket';
        const url = address.replace('http', 'ws') + place;
        const socket = new WebSocket(url);
        socket.onopen = () => told('open');
        socket.onerror = () => told('refused');
    })"""
    assert page.evaluate(open_socket, address) == "open"
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        stranger = page.context.new_page()
        # What it answers does not matter: the page's origin is that server.
        stranger.goto(f"http://127.0.0.1:{elsewhere.server_port}/")
        assert stranger.evaluate("location.origin").startswith("http://127.0.0.1:")
        assert stranger.evaluate(open_socket, address) == "refused"
        stranger.close()
        elsewhere.shutdown()


def test_a_changed_permit_is_signed_and_the_terminal_takes_it(page: Page) -> None:
    permit = page.locator("[data-key=permit]")
    step = page.locator(".kz-steps li").nth(3)
    expect(step).to_contain_text("許可を変え")
    for outcome in ("no_permit", "permitted"):
        permit.click()
        expect(page.locator(".kz-paper")).to_contain_text("鈴木")
        before = page.locator("tbody tr[data-reason=publication_active]").count()
        page.locator(".kz-paper .go").click()
        active = page.locator("tbody tr[data-reason=publication_active]")
        expect(active).to_have_count(before + 1)
        page.keyboard.press("1")
        row = page.locator(f"tbody tr[data-reason={outcome}]").filter(has_text="鈴木")
        expect(row.first).to_have_class(re.compile(r"\bfresh\b"))
        expect(step).to_have_class("done")


def test_a_button_and_a_card_make_a_punch(page: Page) -> None:
    page.locator(".kz-key").first.click()
    page.keyboard.press("1")
    expect(page.locator("tbody tr[data-reason=punched_in]").first).to_contain_text("鈴木")


def test_without_power_the_terminal_is_dark_and_comes_back(page: Page) -> None:
    power = page.locator("[data-key=power]")
    power.click()
    expect(page.locator(".kz-dead")).to_be_visible()
    assert page.locator(".kz-oled").evaluate(LIT_DOTS) == 0
    page.keyboard.press("1")
    expect(page.locator(".kz-say")).to_be_visible()
    power.click()
    expect(page.locator(".kz-dead")).to_be_hidden()
    expect(page.locator("tbody tr[data-reason=started]").first).to_be_visible()


def test_the_language_changes_on_every_page_and_on_the_terminal(page: Page, address: str) -> None:
    page.locator(".kz-plain.language").click()
    expect(page.locator(".kz-page")).to_have_attribute("lang", "en")
    expect(page.locator(".kz-records h2")).to_have_text("Records")
    second = page.context.new_page()
    second.goto(address)
    for one in (page, second):
        one.reload()
        expect(one.locator(".kz-page")).to_have_attribute("lang", "en")
        expect(one.locator(".kz-plain.language")).to_have_text("日本語")
    page.locator(".kz-plain.language").click()
    for one in (page, second):
        expect(one.locator(".kz-page")).to_have_attribute("lang", "ja")
    second.close()


def test_everything_that_can_be_pressed_has_a_name_for_those_who_cannot_see(page: Page) -> None:
    for button in page.locator("button").all():
        name = button.get_attribute("aria-label") or button.inner_text()
        assert name.strip()
