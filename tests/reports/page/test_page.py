from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reports import build, records
from reports.records import membership
from tests import outcomes

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    torch.manual_seed(0)
    outcomes.everything(folder / "runs")
    assert build.main([str(folder / "runs"), "--out", str(folder / "out")]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """The report of every kind of Record, with its figures, and without the twelve of a sweep."""
    folder = tmp_path_factory.mktemp("drawn")
    torch.manual_seed(0)
    outcomes.one_of_each(folder / "runs")
    records.write(outcomes.inversion(against={"none": 32.0}), folder / "runs" / "inversion")
    assert build.main([str(folder / "runs"), "--out", str(folder / "out"), "--figures"]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    for name, shift in (("before", 0.0), ("after", 5.0)):
        (folder / name).mkdir()
        outcomes.sweep(folder / name, shift=shift)
    argv = [str(folder / "before"), str(folder / "after"), "--compare"]
    assert build.main([*argv, "--out", str(folder / "out")]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next((p for p in map(shutil.which, BROWSERS) if p), None)
    if path is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed: the page is not opened")
    with api.sync_playwright() as play:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        found = play.chromium.launch(executable_path=path, args=flags)
        yield found
        found.close()


class Opened:
    """A page with everything that it said and asked for."""

    def __init__(self, browser: Any, file: Path, **context: Any) -> None:
        self.context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, **context}
        )
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda m: self.said.append(f"{m.type}: {m.text}"))
        self.page.on("pageerror", lambda e: self.said.append(f"error: {e}"))
        self.page.on("request", lambda r: self.asked.append(r.url))
        self.page.goto(file.as_uri())


@pytest.fixture(scope="module")
def opened_once(browser, report) -> Iterator[Opened]:
    found = Opened(browser, report / "index.html")
    yield found
    found.context.close()


@pytest.fixture
def opened(opened_once) -> Iterator[Opened]:
    """The page, with no Record open and at its top, which says nothing whatever a test does."""
    page = opened_once.page
    page.evaluate("document.querySelectorAll('details.record').forEach(d => d.open = false)")
    page.evaluate("scrollTo(0, 0)")
    yield opened_once
    assert opened_once.said == []
    assert all(url.startswith(("file:", "data:")) for url in opened_once.asked)


def anchors(html: str) -> tuple[list[str], set[str]]:
    return re.findall(r'\sid="([^"]*)"', html), set(re.findall(r'href="#([^"]*)"', html))


def test_ids_are_unique_and_links_lead_somewhere(report, compared):
    for folder in (report, compared):
        ids, links = anchors((folder / "index.html").read_text())
        assert len(ids) == len(set(ids))
        assert links <= set(ids)


def test_the_page_asks_for_nothing_and_complains_of_nothing(opened):
    assert opened.asked[0].startswith("file:")  # the fixture looks at the rest


def test_hostile_text_is_text(opened, report):
    page = opened.page
    assert page.title() == build.TITLE
    assert page.locator("script").count() == 1
    assert page.locator("img[src=x], [onerror]").count() == 0
    assert page.get_by_text("<script>document.title").count() > 3
    assert outcomes.HOSTILE not in (report / "index.html").read_text()
    assert "\u202e" not in (report / "index.html").read_text()


def test_every_picture_has_words(opened):
    page = opened.page
    assert page.locator("img").count() > 50
    bare = "l => l.filter(i => !i.alt || !i.naturalWidth).length"
    assert page.eval_on_selector_all("img", bare) == 0
    assert page.locator("svg").count() > 8
    assert page.locator("svg:not([role=img])").count() == 0
    for part, least in (("title", 10), ("desc", 40)):
        short = f"l => l.filter(s => s.querySelector('{part}').textContent.length < {least}).length"
        assert page.eval_on_selector_all("svg", short) == 0


def column(page: Any, table: str, head: str) -> list[str]:
    """Texts of a column, top to bottom."""
    heads = page.locator(f"#{table} thead th").all_inner_texts()
    place = next(i for i, text in enumerate(heads) if text.startswith(head))
    return page.locator(f"#{table} tbody td:nth-child({place + 1})").all_inner_texts()


def main_table(page: Any) -> str:
    return next(
        t.get_attribute("id")
        for t in page.locator("table.sortable[id^=panel]").all()
        if t.locator("tbody tr").count() > 5
    )


def test_tables_are_sorted_by_click_and_by_key(opened):
    page = opened.page
    table = main_table(page)
    head = page.locator(f"#{table} th", has_text="adaptive PSNR")

    def means() -> list[float]:
        return [float(t.split()[0]) for t in column(page, table, "adaptive PSNR")]

    before = means()
    assert before != sorted(before)
    head.locator("button").click()
    assert means() == sorted(before)
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert means() == sorted(before, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    # What is missing stays last in both directions.
    for _ in range(2):
        page.locator(f"#{table} th", has_text="naive PSNR").locator("button").click()
        assert column(page, table, "naive PSNR")[-1] == "-"
    assert head.get_attribute("aria-sort") == "none"
    # Infinity is a number that is larger than all others.
    page.locator(f"#{table} th", has_text="ε at").locator("button").click()
    epsilons = column(page, table, "ε at")
    assert epsilons == sorted(epsilons, key=lambda t: float(t.replace("∞", "inf")))
    assert epsilons[0] == "8"


def test_every_number_opens_the_records_it_is_from(opened):
    page = opened.page
    row = page.locator(f"#{main_table(page)} tbody tr").nth(1)
    assert row.locator("td").count() - row.locator("td:has(a)").count() <= 6  # options and words
    link = row.locator("td a").first
    assert page.locator("details.record[open]").count() == 0
    link.click()
    opened_now = page.locator("details.record[open]")
    numbers = link.get_attribute("data-records").split()
    assert len(numbers) == 2  # one per seed
    assert [d.get_attribute("id") for d in opened_now.all()] == numbers
    text = opened_now.first.inner_text()
    assert "python -m attacks.invert --rate" in text
    assert '"budget": 10.0' in text
    assert opened_now.first.evaluate("e => e.getBoundingClientRect().top") < 900


def test_the_summary_leads_to_rows(opened):
    page = opened.page
    links = page.locator(".findings a")
    assert links.count() > 5
    for link in links.all()[:6]:
        target = page.locator(f"id={link.get_attribute('href')[1:]}")
        assert target.evaluate("e => e.tagName") == "TR"
    text = page.locator(".findings").first.inner_text()
    assert "safe" not in text and "is private" not in text


def test_folded_studies_open_for_links(browser, tmp_path):
    for turn in range(8):
        records.write(outcomes.inversion(budget=1.0 + turn), tmp_path / "runs" / str(turn))
    build.main([str(tmp_path / "runs"), "--out", str(tmp_path / "out")])
    found = Opened(browser, tmp_path / "out" / "index.html")
    folds = found.page.locator("details.fold")
    assert [f.get_attribute("open") is not None for f in folds.all()] == [True] + [
        False
    ] * 9  # the verdicts are open
    found.page.locator("nav a").nth(5).click()
    assert folds.nth(5).get_attribute("open") is not None
    assert found.said == []
    found.context.close()


def test_dark_is_dark_by_system_and_by_button(browser, report):
    colour = "e => getComputedStyle(e).backgroundColor"
    ink = "getComputedStyle(document.querySelector('svg text')).fill"
    seen = {}
    for scheme in ("light", "dark"):
        found = Opened(browser, report / "index.html", color_scheme=scheme)
        body = found.page.locator("body")
        first, text = body.evaluate(colour), found.page.evaluate(ink)
        found.page.locator("#theme").click()
        seen[scheme] = (first, text, body.evaluate(colour), found.page.evaluate(ink))
        found.context.close()
    assert seen["light"][:2] == seen["dark"][2:]
    assert seen["light"][2:] == seen["dark"][:2]
    assert seen["light"][0] != seen["light"][2] and seen["light"][1] != seen["light"][3]


def test_every_table_fits_the_page_and_nothing_is_cut(browser, report, compared):
    wide = "l => l.filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent)"
    for folder in (report, compared):
        found = Opened(browser, folder / "index.html")
        found.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        for width in (390, 1280):
            found.page.set_viewport_size({"width": width, "height": 844})
            assert found.page.evaluate("document.documentElement.scrollWidth") == width
            assert found.page.locator(".scroll:has(.sortable)").evaluate_all(wide) == []
        found.context.close()


def test_no_text_of_a_chart_lies_outside_it(opened):
    outside = """l => l.filter(t => {
      const own = t.getBoundingClientRect(), all = t.closest('svg').getBoundingClientRect();
      return own.left < all.left - 2 || own.right > all.right + 2 || own.bottom > all.bottom + 2;
    }).map(t => t.textContent)"""
    assert opened.page.locator("figure svg text").evaluate_all(outside) == []


def test_the_page_names_no_folder_of_the_machine(report):
    html = (report / "index.html").read_text()
    assert str(report.parent) not in html
    assert ">runs/sweep/0000000000</span>" in html


def test_the_switch_shows_the_other_attacker(opened):
    page = opened.page
    box = page.locator(".pictures:has(.cross)").first
    naive, adaptive = box.locator(".several .naive"), box.locator(".several .adaptive")
    assert adaptive.first.is_visible() and not naive.first.is_visible()
    box.locator("button", has_text="naive").click()
    assert naive.first.is_visible() and not adaptive.first.is_visible()
    assert box.locator("button", has_text="naive").get_attribute("aria-pressed") == "true"
    # Without a defense both attackers are the same one, and its pictures stay.
    assert box.locator(".single .adaptive").first.is_visible()


def test_the_cross_shows_the_image_asked_for(opened):
    page = opened.page
    cross = page.locator(".cross").first
    assert cross.is_visible()
    assert cross.locator("tbody tr").count() == len(outcomes.NOISES)
    alts = [i.get_attribute("alt") for i in cross.locator("img").all()]
    assert len(alts) == 2 * len(outcomes.NOISES) * len(outcomes.RATES)
    assert all(a.startswith("image 0, dprs") for a in alts)
    cross.locator("button", has_text="image 2").click()
    alts = [i.get_attribute("alt") for i in cross.locator("img").all()]
    assert all(a.startswith("image 2, dprs") for a in alts)


def test_the_most_exposed_members_are_shown_pixel_by_pixel(opened):
    page = opened.page
    faces = page.locator("#memberships ol.gallery > li")
    assert faces.count() == 10
    picture = faces.first.locator("img")
    assert picture.evaluate("e => getComputedStyle(e).imageRendering") == "pixelated"
    assert picture.evaluate("e => [e.naturalWidth, e.naturalHeight]") == [8, 8]
    lines = faces.first.locator("span").all_inner_texts()
    assert lines[0].startswith("#1 <script>document.title") and len(lines[0]) < 50
    assert re.fullmatch(r"\d+ of 200 others", lines[2])
    assert re.fullmatch(r"\d+\.\d% \[\d+\.\d, \d+\.\d\]", lines[3])
    link = page.locator("#memberships h3 a")
    link.click()
    assert page.locator("details.record[open]").get_attribute("id") in link.get_attribute("href")


def test_commands_are_copied(browser, report):
    from playwright import sync_api

    found = Opened(
        browser, report / "index.html", permissions=["clipboard-read", "clipboard-write"]
    )
    record = found.page.locator("details.record:has(.copy)").first
    record.locator("summary").click()
    record.locator("button.copy").click()
    sync_api.expect(record.locator("button.copy")).to_have_text("copied")
    command = record.locator("code").inner_text()
    assert found.page.evaluate("navigator.clipboard.readText()") == command
    found.context.close()


def test_all_kinds_and_failures_are_told(report):
    html = (report / "index.html").read_text()
    for words in ("Training runs", "Who was in the training set", "Audits of epsilon"):
        assert words in html
    for words in ("Accuracy against leakage", "ceiling for unbiased", "claim refuted"):
        assert words in html
    assert "no such model" in html and "python -m attacks.invert --model nothing" in html
    assert "rows.psnr is no number" in html and "not readable as a Record" in html
    assert "The command was not recorded." in html


def test_a_comparison_comes_first(compared):
    html = (compared / "index.html").read_text()
    assert html.index("now leak more") < html.index("defended settings")
    assert html.index("What changed") < html.index("Before: ")
    assert "leaks more" in html
    assert 'id="changes-forest-title"' in html


def test_the_pdf_is_whole(report, drawn, compared):
    for folder in (report, compared):
        data = (folder / "report.pdf").read_bytes()
        assert data.startswith(b"%PDF") and data.rstrip().endswith(b"%%EOF")
        counts = [int(n) for n in re.findall(rb"/Count (\d+)", data)]
        assert max(counts) == len(re.findall(rb"/Type /Page\b", data)) >= 5
    for folder, more in ((drawn, ["figures"]), (compared, [])):
        seen = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
        assert seen == [*more, "index.html", "report.pdf"]


def test_an_epsilon_whose_assumptions_do_not_hold_bounds_nothing(tmp_path):
    arrays = {"members": torch.tensor([1, 0, 1, 0]), "scores/loss": torch.arange(4.0)}
    for holds, bound in ((True, 0.5 * np.e), (False, 1.0)):
        facts = {"epsilon": 1.0, "delta": 0.0, "holds": holds}
        record = records.Record("membership", {"seed": 0}, [], {}, {}, facts, {}, arrays)
        found = membership.parse(record)
        expected = min(bound, 1 - 0.5 / np.e) if holds else 1.0
        assert found.bound(np.array([0.5]))[0] == pytest.approx(expected)


def test_every_chart_is_a_picture_of_its_own_when_asked(drawn):
    shown = (drawn / "index.html").read_text().count('role="img"')
    for kind, start in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        pictures = list((drawn / "figures").glob(f"*.{kind}"))
        assert len(pictures) == shown > 3
        assert all(p.read_bytes().startswith(start) for p in pictures)
    tables = [p.read_text().splitlines() for p in (drawn / "figures").glob("*.md")]
    assert len(tables) >= 5
    for kind in ("tex", "csv"):
        assert len(list((drawn / "figures").glob(f"*.{kind}"))) == len(tables)
    for lines in tables:
        assert len({line.count("|") - line.count("\\|") for line in lines[2:]}) == 1


def test_the_most_exposed_members_are_on_paper_and_in_markdown(drawn, tmp_path):
    (path,) = (drawn / "figures").glob("membership-*-exposed-table.md")
    lines = path.read_text().splitlines()
    assert len(lines) == 4 + 10
    assert re.search(r"\| 1 \| .*&lt;script&gt;.* \| \d+ of 200 \| .*% \\\[", lines[4])
    pages = []
    for pictures in (0, 16):
        record = outcomes.membership(pictures=pictures)
        records.write(record, tmp_path / f"{pictures}")
        build.main([str(tmp_path / f"{pictures}"), "--out", str(tmp_path / f"out-{pictures}")])
        pages.append((tmp_path / f"out-{pictures}" / "report.pdf").read_bytes())
    images = [len(re.findall(rb"/Subtype /Image", data)) for data in pages]
    assert images[1] - images[0] == 16


def test_equal_records_give_equal_reports(report, tmp_path):
    runs = report.parent / "runs"
    build.main([str(runs), "--out", str(tmp_path)])
    for name in ("index.html", "report.pdf"):
        assert (tmp_path / name).read_bytes() == (report / name).read_bytes()
