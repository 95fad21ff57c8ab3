"""Hostile texts in all that a stranger can write, through all that is printed and written: they stay text."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from markdown_it import MarkdownIt

from harness.cli.main import run as command
from harness.errors import UserError
from harness.plaintext import UNSEEN, rearmed, spelled
from harness.records import read, write
from harness.runs.folder import Run, folder_name
from harness.runs.manifest import MANIFEST, Manifest
from harness.scoring.outcomes import read_counts
from reports import export
from reports.packing import pack
from reports.submitted import judge, told
from tests import helpers
from tests.reports.hostile import HOSTILE
from tests.sampling.faulty_server import FaultyServer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reports.tables import BoardRow

pytestmark = pytest.mark.slow
MORE = (
    r"\input{/etc/passwd}",
    r"\write18{touch x}",
    r"\\[3pt] & x % \end{tabular}",
    "$x^2_{y$",
    "$(touch x)",
    "`touch x`",
    "; touch x",
    "../../x",
    "/etc/passwd",
    "..",
    "-rf",
    "~",
    "con:nul|?*",
    "\x1b]0;x\x07",
    "\x9b2J",
    "a\rb",
    "::set-output name=x::y",
    "[x](javascript:alert)",
    "![x](https://x.example/y)",
    "| a | b |",
    "# x",
    "<https://x.example>",
    "&lt;b&gt;",
    "{0.__class__}",
    "%s%n",
    "&amp;<!ENTITY x SYSTEM 'file:///etc/passwd'>",
    "x" * 5_000,
)
TEXTS = tuple(dict.fromkeys(" ".join(t.replace("\0", "").split("\t")).strip() for t in (*HOSTILE, *MORE)))
"""As a CSV file can hold them."""
IDS = tuple(t for t in TEXTS if not re.search(r"[\x00-\x1f\x7f]", t))
"""What a context may be called: a task with another name is refused."""
FIRST, CLASS = TEXTS[1], TEXTS[0]
KNOWN = {
    "caption",
    "toprule",
    "midrule",
    "bottomrule",
    "multicolumn",
    "begin",
    "end",
    "textless",
    "textgreater",
} | {
    "textbackslash",
    "textasciitilde",
    "textasciicircum",
    "linewidth",
}
"""Commands of LaTeX that our tables are made of."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task whose contexts are hostile, and a run of it; a small run that stands once for each text as its model."""
    folder = tmp_path_factory.mktemp("hostile")
    rows = io.StringIO()
    csv.writer(rows).writerows([("id", "place"), *zip(IDS, TEXTS, strict=False)])
    task = helpers.TASK.replace(
        "attribute: drink", f"attribute: {json.dumps(FIRST)}\ntitle: {json.dumps(FIRST)}"
    )
    task = task.replace("{survey: ./survey, even: uniform}", "{even: uniform}")
    task = task.replace("coffee: [", f"{json.dumps(CLASS)}: [").replace(
        "label: coffee", f"label: {json.dumps(CLASS)}"
    )
    helpers.write_task(folder / "wild", task, rows.getvalue())
    helpers.write_task(folder / "tea")
    source = json.dumps(
        dict.fromkeys(("publisher", "table", "license", "note"), TEXTS[100])
        | {"year": 2020, "link": "https://example.org"}
    )
    target = f"name: t\ntitle: {json.dumps(TEXTS[120])}\nattributes: {{{json.dumps(FIRST)}: {{file: t.csv}}}}\nprovenance: {source}\n"
    (folder / "target").mkdir()
    (folder / "target" / "target.yaml").write_text(target, encoding="utf-8")
    (folder / "target" / "t.csv").write_text("context,a,b\nx,0.5,0.5\n", encoding="utf-8")
    words = ["evaluate", "known:uniform", "-n", "3", "-o"]
    assert (
        command([*words, str(folder / "wild runs"), "--task", str(folder / "wild"), "--target", "even"]) == 0
    )
    assert command([*words, str(folder / "once"), "--task", str(folder / "tea"), "--target", "survey"]) == 0
    once = run_in(folder / "once")
    for number, text in enumerate(TEXTS):
        copy = shutil.copytree(once, folder / "runs" / str(number))
        manifest = read(copy / MANIFEST, Manifest, hint="")
        identity = manifest.identity.model_copy(update={"model": text, "revision": text})
        write(copy / MANIFEST, manifest.model_copy(update={"identity": identity, "run": f"{number:012x}"}))
    return folder


def run_in(folder: Path) -> Path:
    return next(folder.rglob(MANIFEST)).parent


def quiet(text: str) -> bool:
    """Whether a text commands no terminal."""
    return not UNSEEN.search(text)


def test_there_are_200() -> None:
    assert len(HOSTILE) == 200
    assert len(TEXTS) > 200


def test_what_commands_print_commands_no_terminal(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wild, runs = str(run_in(made / "wild runs")), str(made / "runs")
    task = str(made / "wild" / "task.yaml")
    for line in (
        ["task", "show", task, "--prompts", "500"],
        ["task", "check", task],
        ["score", wild],
        ["show", wild],
        ["show", wild, "--format", "csv"],
        ["show", wild, "--format", "json"],
        ["compare", str(made / "runs" / "0"), str(made / "runs" / "1"), "--json"],
        ["target", "show", str(made / "target")],
        ["list", "runs", runs],
        ["compare", str(made / "runs" / "0"), str(made / "runs" / "1")],
        ["export", "latex", runs],
        ["export", "markdown", runs],
    ):
        capsys.readouterr()
        code = command(line)
        said = capsys.readouterr()
        assert code in (0, 2), said.err[-500:]
        assert quiet(said.out), line
        assert quiet(said.err), line
    for text in TEXTS:
        assert quiet(str(UserError(text, where=text, found=text, expected=text, nearest=text, hint=text)))


def test_tables_run_nothing_and_keep_each_text(made: Path, tmp_path: Path) -> None:
    wild = run_in(made / "wild runs")
    (table,) = read_counts(wild / "counts.csv")
    assert {context for context, _ in table.cells} == set(IDS)
    assert table.attribute == FIRST
    assert command(["label", str(wild), "-n", "20", "-o", str(tmp_path / "sheet.csv")]) == 0
    for file in (wild / "counts.csv", tmp_path / "sheet.csv"):
        with file.open(newline="", encoding="utf-8") as lines:
            for row in csv.reader(lines):
                assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
    assert {rearmed(t) for t in TEXTS if not t.startswith("'")} == {t for t in TEXTS if not t.startswith("'")}


def rows_of(made: Path) -> list[BoardRow]:
    return export.load([str(made / "runs")])


def test_latex_has_no_command_but_ours(made: Path) -> None:
    ranked = [
        row.model_copy(update={"ranked": True, "method": row.model, "apart": row.model})
        for row in rows_of(made)
    ]
    for rows in (ranked, [row.model_copy(update={"ranked": False}) for row in ranked]):
        text = export.latex(rows)
        bare = re.sub(r"\\[&%$#_{}]", "", text)
        assert set(re.findall(r"\\([a-zA-Z]+)", bare)) <= KNOWN
        assert bare.count("{") == bare.count("}")
        assert not re.search(r"[$#%^~`]|(?<!\\)_", bare.replace("`", "")), (
            "no sign that means something to TeX"
        )
        lines = [line for line in bare.splitlines() if line.endswith(r"\\")]
        assert len(lines) == len(rows) + 1 + ranked[0].ranked * (rows is ranked), (
            "a line for each, a head and a note"
        )


def test_markdown_has_a_table_and_no_markup_of_theirs(made: Path) -> None:
    ranked = [row.model_copy(update={"ranked": True, "method": row.model}) for row in rows_of(made)]
    for rows in (ranked, [row.model_copy(update={"ranked": False, "apart": row.model}) for row in ranked]):
        tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(export.markdown(rows))
        inner = [t for token in tokens for t in (token, *(token.children or ()))]
        kinds = {t.type for t in inner}
        assert kinds <= {
            "paragraph_open",
            "paragraph_close",
            "inline",
            "text",
            "text_special",
            "softbreak",
        } | {
            f"{part}_{end}"
            for part in ("table", "thead", "tbody", "tr", "th", "td", "strong")
            for end in ("open", "close")
        }
        assert sum(t.type == "tr_open" for t in inner) == (len(rows) + 1 if rows is ranked else 0)


def test_figures_draw_texts_as_texts(made: Path, tmp_path: Path) -> None:
    few = [str(made / "runs" / str(i)) for i in range(0, len(TEXTS), 6)]
    shares = ["figure", "shares", str(run_in(made / "wild runs")), "-o", str(tmp_path / "shares.svg")]
    assert command(shares) == 0
    assert command(["figure", "forest", *few, "-o", str(tmp_path / "forest.svg")]) == 0
    for name in ("shares.svg", "forest.svg"):
        tree = ElementTree.fromstring((tmp_path / name).read_bytes())  # noqa: S314  # ours
        for element in tree.iter():
            kind = element.tag.rpartition("}")[2]
            assert kind not in ("script", "foreignObject", "a", "image", "iframe", "object")
            assert not any(key.lower().startswith("on") for key in element.attrib)


def test_data_sets_and_logs_hold_them(made: Path, tmp_path: Path) -> None:
    few = [str(made / "runs" / str(i)) for i in range(0, len(TEXTS), 9)]
    assert command(["export", "datasets", *few, "-o", str(tmp_path / "set")]) == 0
    assert command(["export", "parquet", *few, "-o", str(tmp_path / "rows.parquet")]) == 0
    assert command(["export", "every-eval-ever", *few, "--by", FIRST, "-o", str(tmp_path / "store")]) == 0
    log = tmp_path / "log.json"
    assert command(["export", "inspect", str(run_in(made / "wild runs")), "-o", str(log)]) == 0
    models = set(pq.read_table(tmp_path / "rows.parquet").column("model").to_pylist())
    assert len(models) == len(few)
    inner = (
        MarkdownIt("commonmark", {"html": True})
        .enable("table")
        .parse((tmp_path / "set" / "README.md").read_text(encoding="utf-8").split("---\n", 2)[2])
    )
    assert not any(
        t.type in ("html_block", "html_inline") for token in inner for t in (token, *(token.children or ()))
    )
    for path in (p for name in ("set", "store") for p in (tmp_path / name).rglob("*")):
        assert re.fullmatch(r"[A-Za-z0-9._=,+@-]{1,120}", path.name), path
    json.loads(log.read_text(encoding="utf-8"))


def test_archives_and_their_verdicts(made: Path, tmp_path: Path) -> None:
    folder, refused = tmp_path / "sent", list[str]()
    folder.mkdir()
    for number in range(0, len(TEXTS), 6):
        try:
            pack(str(made / "runs" / str(number)), folder / f"{number}.zip", "")
        except UserError as error:
            refused.append(str(error))
    for text in ("::error::x.zip", "a|b`c`.zip", "<b>x.zip", "@user.zip", "$(x).zip"):
        shutil.copyfile(next(folder.glob("*.zip")), folder / text)
    said = told(judge(folder))
    assert quiet("".join([said, *refused]))
    lines = said.splitlines()
    assert all(line.startswith("| ") for line in lines[2:])
    inner = MarkdownIt("commonmark", {"html": True}).enable("table").parse(said)
    kinds = {t.type for token in inner for t in (token, *(token.children or ()))}
    assert not kinds & {"html_block", "html_inline", "link_open", "image"}
    assert sum(t.type == "tr_open" for t in inner) == len(lines) - 3


@pytest.mark.parametrize("texts", [TEXTS])
def test_names_of_files_are_safe(texts: Sequence[str]) -> None:
    for text in texts:
        name = folder_name(text)
        assert re.fullmatch(r"[A-Za-z0-9_=,+][A-Za-z0-9._=,+-]{0,79}", name), (text, name)


def test_a_server_that_says_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = str(helpers.write_task(tmp_path / "tea"))
    chosen = TEXTS[:: len(TEXTS) // 20]
    with FaultyServer(
        dict.fromkeys(chosen, 1 / len(chosen)), owner=FIRST, fingerprint=FIRST, models=(FIRST, "tiny")
    ) as server:
        line = ["evaluate", f"server:tiny@{server.url}", "--task", task, "--target", "survey", "-n", "40"]
        assert command([*line, "-o", str(tmp_path / "runs")]) == 0
    run = Run.open(run_in(tmp_path / "runs"))
    said = {d.text for c in run.chunks() for d in c.draws}
    assert said <= set(chosen)
    assert len(said) > 5
    command(["show", str(run.folder)])
    with FaultyServer({"a": 1.0}, refuse=lambda _: (400, "\n".join(TEXTS[:40]))) as server:
        line[1] = f"server:tiny@{server.url}"
        assert command([*line, "-o", str(tmp_path / "refused")]) == 2
    found = capsys.readouterr()
    assert quiet(found.out)
    assert quiet(found.err)
    assert spelled(FIRST) == spelled(spelled(FIRST))
