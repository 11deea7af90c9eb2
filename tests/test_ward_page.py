"""The station's page in a real browser: what a person sees of a ward, and how it is worked by keys."""

import pytest
from page_tools import By, chromium, needs_chromium, tiles, until
from ward_tools import beds_of, feeding, station_of

Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys

pytestmark = needs_chromium
BEDS = 16


@pytest.fixture(scope="module")
def browser():
    with chromium() as driver:
        yield driver


@pytest.fixture(scope="module")
def ward():
    beds = beds_of(*(f"bed {number}" for number in range(1, BEDS + 1)))
    with feeding(beds, 600), station_of(beds) as station:
        yield beds, station


@pytest.fixture
def page(browser, ward):
    browser.get(ward[1].address.url)
    until(lambda: len(tiles(browser)) == BEDS)
    return browser


def drawn(page, selector):
    """Colours that a canvas shows, by their pixels."""
    return page.execute_script(
        """
        const canvas = document.querySelector(arguments[0]), counts = {};
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        for (let k = 0; k < data.length; k += 4) {
            const colour = [...data.slice(k, k + 3)];
            if (data[k + 3] > 250) counts[colour] = 1 + (counts[colour] || 0);
        }
        return counts;
        """,
        selector,
    )


def test_every_bed_is_drawn_and_named_and_nothing_goes_wrong(page):
    until(lambda: all(tile.find_element(By.CLASS_NAME, "cleaned-bpm").text != "--" for tile in tiles(page)))
    first = tiles(page)[0]
    assert first.find_element(By.CLASS_NAME, "name").text == "bed 1"
    rate = int(first.find_element(By.CLASS_NAME, "cleaned-bpm").text)
    assert 60 < rate < 80
    assert f"heart rate {rate}" in first.get_attribute("aria-label")
    # The cleaned trace lies over the raw one, which is the same here.
    until(lambda: sum(drawn(page, ".bed canvas").values()) > 100)
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_beds_are_found_ordered_and_opened_by_keys(page, ward):
    body = page.find_element(By.TAG_NAME, "body")
    body.send_keys("/")
    page.switch_to.active_element.send_keys("bed 12")
    until(lambda: [tile.text.split("\n")[0] for tile in tiles(page)] == ["bed 12"])
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    until(lambda: len(tiles(page)) == BEDS)
    body.send_keys("o")
    assert page.find_element(By.ID, "order").get_attribute("value") == "name"
    body.send_keys(Keys.ARROW_RIGHT)
    page.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert page.switch_to.active_element.text.startswith("bed 2")
    page.switch_to.active_element.send_keys(Keys.ENTER)
    dialog = page.find_element(By.ID, "large")
    until(lambda: dialog.is_displayed())
    assert page.find_element(By.ID, "large-name").text == "bed 2 · lead II"
    until(lambda: len(drawn(page, "#large-trace")) > 1)
    page.execute_script(
        "const back = document.getElementById('back'); back.value = -5;"
        "back.dispatchEvent(new Event('input'));"
    )
    assert page.find_element(By.ID, "back-said").text == "5 s ago"
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    until(lambda: not dialog.is_displayed())


def test_light_and_dark_both_draw_in_their_colours(page):
    theme = page.find_element(By.TAG_NAME, "html").get_attribute("data-theme")
    page.find_element(By.TAG_NAME, "body").send_keys("t")
    other = page.find_element(By.TAG_NAME, "html").get_attribute("data-theme")
    assert {theme, other} == {"light", "dark"}
    cleaned = {"light": "0,114,178", "dark": "86,180,233"}[other]
    until(lambda: cleaned in drawn(page, ".bed canvas"))


def test_trouble_comes_first_and_a_lost_server_is_said(page, ward):
    beds, station = ward
    beds.all[10].dead = "the engine failed"
    until(lambda: tiles(page)[0].text.startswith("bed 11"))
    assert "NO WORKER" in tiles(page)[0].text
    assert tiles(page)[0].get_attribute("data-trouble") == "4"
    station.__exit__()
    notice = page.find_element(By.ID, "notice")
    until(lambda: notice.is_displayed())
    assert "what is shown is old" in notice.text
