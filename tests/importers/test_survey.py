"""Surveys in their published forms become tasks whose targets are groups of people."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

from harness import evaluate
from harness.checking import check_task
from harness.cli.main import run as command
from harness.errors import UserError
from harness.importers.survey import SurveyOptions, import_survey
from harness.settings import Settings
from harness.tasks import prompts
from harness.tasks.target import resolve
from harness.tasks.target_file import Provenance
from harness.tasks.task import Task, load_task

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = Provenance(
    publisher="Institute", table="Attitudes", year=2021, license="CC0-1.0", link="https://example.org"
)
TRUST = ["A great deal", "Some, but not much", "None at all", "Refused"]


def table(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def made(file: Path, out: Path, **options: object) -> list[Task]:
    found = import_survey(file, out, SurveyOptions("opinion", SOURCE, **options))  # type: ignore[arg-type]  # of a test
    return [load_task(str(path)) for path in found.tasks]


def opinionqa(path: Path) -> Path:
    """A row for each question, a column for each group, the ordinals without the refusal."""
    return table(
        path,
        [
            {"key": "TRUST_W1", "question": "How much do you trust banks?", "references": str(TRUST), "option_ordinal": "[3.0, 2.0, 1.0]",
             "All adults": "[0.2, 0.5, 0.2, 0.1]", "Age 65+": "[0.4, 0.4, 0.2, 0.0]"},
            {"key": "TRUST_W2", "question": "And {courts}?", "references": str(TRUST), "option_ordinal": "[3.0, 2.0, 1.0]",
             "All adults": "[0.6, 0.2, 0.2, 0]", "Age 65+": "[0.25, 0.25, 0.5, 0.0]"},
            {"key": "OWN", "question": "Do you own a boat?", "references": "['Yes', 'No']", "option_ordinal": "",
             "All adults": "[0.1, 0.9]", "Age 65+": "[0.2, 0.8]"},
        ],
    )  # fmt: skip


def globalopinionqa(path: Path) -> Path:
    """A row for each question, with a mapping that Python wrote."""
    return table(
        path,
        [
            {"question": "Is it getting better?", "options": "['Better', 'Worse', 'DK/Refused']", "source": "GAS",
             "selections": "defaultdict(<class 'list'>, {'Kenya': [0.6, 0.3, 0.1], 'Peru': [0.5, 0.5, 0.0]})"},
            {"question": "Is it getting better?", "options": "['Better', 'Worse', 'DK/Refused']", "source": "WVS",
             "selections": "{'Kenya': [0.25, 0.75, 0.0]}"},
            {"question": "How many cars?", "options": "['0', '1', '2 or more']", "source": "WVS",
             "selections": "{'Kenya': [0.8, 0.15, 0.05], 'Peru': [0.5, 0.3, 0.2]}"},
        ],
    )  # fmt: skip


def test_questions_with_the_same_options_are_one_task(tmp_path: Path) -> None:
    trust, own = made(opinionqa(tmp_path / "o.csv"), tmp_path)
    assert [c.id for c in trust.contexts] == ["trust_w1", "trust_w2"]
    answer = trust.attributes["answer"]
    assert list(answer.classes) == ["A great deal", "Some; but not much", "None at all"]
    assert answer.positions == (1.0, 0.5, 0.0)
    assert own.attributes["answer"].positions is None
    all_, old = (
        resolve(trust, answer, name).matrix(trust, answer, ["trust_w1"]) for name in ("all_adults", "age_65")
    )
    assert all_[0] == pytest.approx([0.2 / 0.9, 0.5 / 0.9, 0.2 / 0.9])
    assert old[0] == pytest.approx([0.4, 0.4, 0.2])
    contexts, wordings = prompts.select(trust)
    asked = [r.messages[0].content for r in prompts.render(trust, contexts, wordings)]
    assert all("1. A great deal\n2. Some, but not much\n3. None at all" in text for text in asked)
    assert sum("And {courts}?" in text for text in asked) == len(wordings) >= 2
    for task in (trust, own):
        assert not check_task(str(task.source.path)).problems


def test_the_reader_takes_the_number_and_the_words(tmp_path: Path) -> None:
    from harness.reading import make_reader
    from harness.reading.base import Answer

    trust, _ = made(opinionqa(tmp_path / "o.csv"), tmp_path)
    answer = trust.attributes["answer"]
    reader = make_reader(answer.reader, answer.classes, trust.language)
    for text, label in {"2": "Some; but not much", "Some, but not much.": "Some; but not much", "1. A great deal": "A great deal",
                        "3": "None at all", "Option 1": "A great deal", "4": "unparsed"}.items():  # fmt: skip
        assert reader.read(Answer(text)).label == label, text


def test_a_known_model_of_a_group_is_on_target(tmp_path: Path) -> None:
    trust, _ = made(opinionqa(tmp_path / "o.csv"), tmp_path / "tasks")
    run = evaluate("known:target", str(trust.source.path), "age_65", Settings(n=200, out=tmp_path / "runs"))
    scores = json.loads((run.folder / "scores.json").read_text(encoding="utf-8"))["results"][0]
    w1 = scores["table"]["aggregate"]["scores"]["w1"]
    assert w1["low"] == 0
    assert w1["estimate"] < 0.05


def test_groups_that_were_asked_other_questions_are_chosen(tmp_path: Path) -> None:
    file = globalopinionqa(tmp_path / "g.csv")
    with pytest.raises(UserError, match="not every group was asked") as caught:
        made(file, tmp_path)
    assert "Kenya (3), Peru (2)" in str(caught.value.found)
    better, cars = made(file, tmp_path, groups=("Peru",), without=("DK/Refused",))
    assert [c.id for c in better.contexts] == ["is_it_getting_better"]
    assert cars.attributes["answer"].classes == {"0": ("0",), "1": ("1",), "2 or more": ("2 or more",)}
    assert "- 2 or more" in prompts.render(cars, cars.contexts, cars.prompts[:1])[0].messages[0].content
    both, _ = made(file, tmp_path / "kenya", groups=("Kenya",), without=("DK/Refused",))
    assert [c.id for c in both.contexts] == ["is_it_getting_better", "is_it_getting_better_2"]


def test_rows_of_groups_in_json_lines(tmp_path: Path) -> None:
    rows = [
        {"qkey": "A", "attribute": "POLPARTY", "group": g, "responses": s, "options": ["Yes", "No"], "ordinal": [1, 2], "question": "Agree?"}
        for g, s in (("Democrat", [0.7, 0.3]), ("Republican", [0.4, 0.6]))
    ]  # fmt: skip
    file = tmp_path / "s.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (task,) = made(file, tmp_path)
    answer = task.attributes["answer"]
    assert [a for a in answer.targets if a != "uniform"] == ["polparty_democrat", "polparty_republican"]
    assert resolve(task, answer, "polparty_republican").matrix(task, answer, ["a"])[0] == pytest.approx(
        [0.4, 0.6]
    )
    file.write_text("\n".join(map(json.dumps, [*rows, rows[0]])), encoding="utf-8")
    with pytest.raises(UserError, match="do not fit together"):
        made(file, tmp_path / "twice")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"options": "__import__('os').listdir('/')"}, "neither JSON nor a Python list"),
        ({"options": "[" * 5000}, "neither JSON nor a Python list"),
        ({"options": "'Yes'"}, "not a list"),
        ({"options": "['Yes', 'yes']"}, "not a list of options"),
        ({"selections": "{'A': [0.5, 0.4]}"}, "do not sum to 1"),
        ({"selections": "{'A': [0.5, 0.5, 0.0]}"}, "not a share for each option"),
        ({"selections": "{'A': ['0.5', '0.5']}"}, "not a share for each option"),
        ({"selections": "{'A': [1.5, -0.5]}"}, "do not sum to 1"),
        ({"selections": "[0.5, 0.5]"}, "not shares by group"),
        ({"selections": "{'A': [0.5, lambda: 0.5]}"}, "neither JSON nor a Python list"),
        ({"selections": ""}, "without shares"),
        ({"question": " "}, "without a question"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(
    tmp_path: Path, changed: dict[str, object], says: str
) -> None:
    row: dict[str, object] = {"question": "Q?", "options": "['Yes', 'No']", "selections": "{'A': [0.5, 0.5]}"}
    file = table(tmp_path / "t.csv", [row | changed])
    with pytest.raises(UserError, match=says) as caught:
        made(file, tmp_path)
    assert str(file) in caught.value.where


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [
        "--publisher",
        "P",
        "--table",
        "T",
        "--year",
        "2021",
        "--license",
        "CC0",
        "--link",
        "https://example.org",
    ]
    typed = [
        "target",
        "import",
        "survey",
        str(opinionqa(tmp_path / "o.csv")),
        "--name",
        "pew",
        "-o",
        str(tmp_path),
        *flags,
    ]
    assert command(typed) == 0
    assert "3 questions in 2 tasks" in capsys.readouterr().out
    assert load_task(str(tmp_path / "pew_1" / "task.yaml")).name == "pew_1"
    assert command(typed) == 0
    assert command([*typed, "--title", "Another"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert command([*typed, "--group", "Age 56+"]) == 2
    assert "Age 65+" in capsys.readouterr().err
