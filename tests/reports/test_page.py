"""The page as bytes: nothing in it can run but its own script, whatever stands in the runs."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from harness.plaintext import show
from reports.leaderboard import leaderboard
from reports.page import as_data
from reports.published import published
from reports.text import cell, link
from reports.words import TEMPLATES, all_words
from tests.reports.hostile import CANARY, HOSTILE, LONG
from tests.reports.poisoned import poison

if TYPE_CHECKING:
    from pathlib import Path


class Tags(HTMLParser):
    """Elements, attributes and the text of scripts, as a browser's parser would find them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {}
        self.current = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.current = tag
        if tag in ("script", "style"):
            self.inside.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        self.current = ""

    def handle_data(self, data: str) -> None:
        if self.current in ("script", "style"):
            self.inside[self.current][-1] += data


@pytest.fixture(scope="module")
def poisoned(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board whose every text is hostile."""
    folder = tmp_path_factory.mktemp("poisoned")
    poison(runs, folder / "runs")
    return leaderboard([str(folder / "runs")], folder / "site", recompute=False).parent


def test_there_are_200_hostile_strings() -> None:
    assert len(set(HOSTILE)) == 200
    assert all(CANARY in text for text in HOSTILE)


def test_the_policy_lets_only_the_page_s_own_script_and_style_run(site: Path) -> None:
    page = Tags((site / "index.html").read_text(encoding="utf-8"))
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    running = [
        s
        for s, (_, a) in zip(page.inside["script"], (t for t in page.tags if t[0] == "script"), strict=True)
        if "type" not in a
    ]
    for text, name in ((running[0], "script-src"), (page.inside["style"][0], "style-src")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy
    assert len(running) == 1


def test_the_page_loads_nothing(site: Path) -> None:
    page = Tags((site / "index.html").read_text(encoding="utf-8"))
    assert not [t for t, a in page.tags if "src" in a or t in ("link", "iframe", "object", "img")]
    assert "@import" not in page.inside["style"][0]
    assert "url(" not in page.inside["style"][0]


def test_hostile_texts_add_no_element_and_no_attribute(poisoned: Path, runs: Path) -> None:
    page = Tags((poisoned / "index.html").read_text(encoding="utf-8"))
    assert [t for t, _ in page.tags].count("script") == 3
    allowed = {
        "class",
        "id",
        "href",
        "lang",
        "tabindex",
        "role",
        "aria-label",
        "aria-labelledby",
        "scope",
        "hidden",
        "value",
        "type",
        "name",
        "content",
        "http-equiv",
        "charset",
        "data-words",
        "data-view",
    }
    assert {name for _, attributes in page.tags for name in attributes} <= allowed
    assert all(
        str(a["href"]).startswith(("#", "leaderboard.", "counts.", "shares."))
        for _, a in page.tags
        if "href" in a
    )


def test_hostile_texts_arrive_as_text(poisoned: Path) -> None:
    match = re.search(
        r'id="data">(.*?)</script>', (poisoned / "index.html").read_text(encoding="utf-8"), re.DOTALL
    )
    assert match
    data = json.loads(match[1])
    shown = {row["model"] for row in data["rows"]} | set(data["strings"])
    assert any("<script>window.pwned=1</script>" in text for text in shown)
    everything = json.dumps(data, ensure_ascii=False)
    assert not re.search("[\x00-\x08\u202a-\u202e\u2066-\u2069\u200b]", everything)
    assert any("[U+202E]" in text for text in shown)
    assert max(map(len, shown)) < 5_000


def test_hostile_links_are_text_only(poisoned: Path) -> None:
    page = (poisoned / "index.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]  # there is one
    urls = [c["provenance"]["url"] for c in data["columns"] if c["provenance"]]
    assert urls
    assert all(not url or re.match(r"https?://", url) for url in urls)


def test_spreadsheets_get_no_formula(poisoned: Path) -> None:
    for name in ("leaderboard.csv", "counts.csv"):
        with (poisoned / name).open(newline="", encoding="utf-8") as file:
            cells = [c for row in csv.reader(file) for c in row]
        risky = [c for c in cells if c[:1] in "=+-@\t\r" and c and not re.fullmatch(r"-?[\d.e-]+", c)]
        assert risky == []


def test_the_json_file_keeps_texts_as_they_are(poisoned: Path) -> None:
    models = {str(r["model"]) for r in json.loads((poisoned / "leaderboard.json").read_text())["results"]}
    assert any("\u202e" in m for m in models)


@pytest.mark.parametrize("text", ["</script>", "<!--", "]]>", "\u2028", "&amp;"])
def test_data_cannot_end_its_element(text: str) -> None:
    data = as_data({"x": text})
    assert json.loads(data) == {"x": text}
    assert not re.search("[<>&\u2028]", data)


def test_what_cannot_be_seen_is_spelled_out() -> None:
    assert show("a\u202eb\x00c\ud800d") == "a[U+202E]b[U+0000]c[U+D800]d"
    assert show("line\nbreak\ttab 男") == "line\nbreak\ttab 男"
    assert show(LONG).endswith("… (100,003 characters)")
    assert (cell("=1+1"), cell(-1.5), cell("plain")) == ("'=1+1", -1.5, "plain")


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://a.example/b?c=d#e", True),
        ("javascript:alert(1)", False),
        ("http://a b", False),
        ("https://a\u202e.example", False),
        ("//a.example", False),
        ("https://a/'x", False),
    ],
)
def test_only_web_addresses_become_links(address: str, kept: bool) -> None:
    assert link(address) == (address if kept else "")


def test_both_languages_have_every_word_and_every_placeholder() -> None:
    words = json.loads((TEMPLATES / "i18n.json").read_text(encoding="utf-8"))
    assert set(words["en"]) == set(words["zh"])
    for key, text in words["en"].items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", words["zh"][key])), key


def test_scripts_name_only_words_that_exist() -> None:
    words = all_words()["en"]
    scripts = "".join(p.read_text(encoding="utf-8") for p in sorted(TEMPLATES.glob("*.js")))
    assert set(re.findall(r'\bt\("(\w+)"[,)]', scripts)) - set(words) == set()
    flags = {flag for row in published() for flag in row["flags"]}  # type: ignore[attr-defined]  # a list of flags
    assert {f"flag_{f}" for f in flags} <= set(words)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", scripts
    )


def test_published_figures_are_marked_and_never_ranked(site: Path) -> None:
    rows = published()
    leaks = [r for r in rows if "answer_leak" in r["flags"]]  # type: ignore[operator]  # a list of flags
    assert len(leaks) >= 6
    assert {r["paper"] for r in rows} == {"KL+KTO", "WALF", "PolyAlign"}
    assert all(r["source"] and r["link"] for r in rows)
    assert not {str(r["model"]) for r in json.loads((site / "leaderboard.json").read_text())["results"]} & {
        r["model"] for r in rows
    }
