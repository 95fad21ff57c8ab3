"""Tasks and targets: what is read, and what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.errors import UserError
from harness.tasks import prompts
from harness.tasks.catalog import INCLUDE, find, names
from harness.tasks.target import load_target, resolve
from harness.tasks.task import load_task
from tests import helpers

if TYPE_CHECKING:
    from pathlib import Path


def test_a_task_is_read_whole(tmp_path: Path) -> None:
    task = load_task(str(helpers.write_task(tmp_path)))
    drink = task.attributes["drink"]
    assert drink.classes == {"tea": ("tea", "a cup of tea"), "coffee": ("coffee", "espresso")}
    assert [(c.id, c.split) for c in task.contexts] == [("leeds", "train"), ("oporto", "test")]
    contexts, wordings = prompts.select(task)
    assert [
        (r.context, r.prompt, r.messages[0].content) for r in prompts.render(task, contexts, wordings)
    ] == [
        ("leeds", "ask", "What do people in Leeds drink?"),
        ("oporto", "ask", "What do people in Porto drink?"),
    ]
    matrix = resolve(task, drink, "survey").matrix(task, drink, ["oporto", "leeds"])
    assert np.allclose(matrix, [[0.1, 0.9], [0.8, 0.2]])
    assert np.allclose(resolve(task, drink, "uniform").matrix(task, drink, ["leeds"]), 0.5)


def test_counts_are_normalised_and_inline_targets_read(tmp_path: Path) -> None:
    inline = (
        "targets: {poll: {values: counts, rows: {leeds: {tea: 30, coffee: 10}, oporto: {tea: 1, coffee: 3}}, "
        'provenance: {publisher: P, table: T, year: 2021, license: CC0-1.0, link: "https://example.org"}}}'
    )
    task = load_task(
        str(
            helpers.write_task(
                tmp_path, helpers.TASK.replace("targets: {survey: ./survey, even: uniform}", inline)
            )
        )
    )
    drink = task.attributes["drink"]
    assert np.allclose(
        resolve(task, drink, "poll").matrix(task, drink, ["leeds", "oporto"]), [[0.75, 0.25], [0.25, 0.75]]
    )


def test_a_row_of_all_holds_where_no_other_does(tmp_path: Path) -> None:
    task = load_task(
        str(helpers.write_task(tmp_path, table="context,tea,coffee\n*,0.1,0.9\nleeds,0.8,0.2\n"))
    )
    drink = task.attributes["drink"]
    target = resolve(task, drink, "survey")
    assert np.allclose(target.matrix(task, drink, ["leeds", "oporto"]), [[0.8, 0.2], [0.1, 0.9]])
    assert np.isinf(target.sizes(drink, ["leeds", "oporto"])).all()


def test_people_are_not_counted_once_for_all_contexts(tmp_path: Path) -> None:
    table = "context,tea,coffee,n,independent\n*,0.1,0.9,90,70\nleeds,0.8,0.2,50,20\n"
    helpers.write_task(tmp_path, target=SURVEY_OF_PEOPLE, table=table)
    with pytest.raises(UserError, match="a sample of people in a row") as caught:
        load_target(str(tmp_path / "survey"))
    assert caught.value.where == f"{tmp_path / 'survey' / 'table.csv'}:2"


SURVEY_OF_PEOPLE = """
name: survey
kind: reference
attributes: {drink: {file: table.csv}}
sample: {replies: n, independent: independent}
provenance: {publisher: P, table: T, year: 2021, license: CC0-1.0, link: "https://example.org"}
"""


def test_a_reference_states_how_many_replies_it_counts(tmp_path: Path) -> None:
    task = load_task(str(helpers.write_task(tmp_path)))
    drink = task.attributes["drink"]
    survey = tmp_path / "survey"
    exact = resolve(task, drink, "survey")
    assert np.isinf(exact.sizes(drink, ["leeds"])).all()
    assert exact.samples(drink, ["leeds"]) == []
    (survey / "target.yaml").write_text(SURVEY_OF_PEOPLE, encoding="utf-8")
    (survey / "table.csv").write_text(
        "context,tea,coffee,n,independent\nleeds,0.8,0.2,50,20\noporto,0.1,0.9,70,70\n", encoding="utf-8"
    )
    target = resolve(task, drink, "survey")
    assert target.tables["drink"].classes == ("tea", "coffee")
    assert target.sizes(drink, ["oporto", "leeds"]).tolist() == [70, 20]
    assert target.samples(drink, ["leeds"]) == [(50, 20)]
    # other sizes are another target: its floors differ
    known = target.hash
    (survey / "table.csv").write_text(
        "context,tea,coffee,n,independent\nleeds,0.8,0.2,50,30\noporto,0.1,0.9,70,70\n", encoding="utf-8"
    )
    assert resolve(task, drink, "survey").hash != known
    (survey / "target.yaml").write_text(
        SURVEY_OF_PEOPLE.replace("sample: {replies: n, independent: independent}", "values: counts"),
        encoding="utf-8",
    )
    (survey / "table.csv").write_text("context,tea,coffee\nleeds,8,2\noporto,1,9\n", encoding="utf-8")
    assert resolve(task, drink, "survey").samples(drink, ["leeds"]) == [(10, 10)]


@pytest.mark.parametrize(
    ("table", "spec", "says"),
    [
        ("leeds,0.8,0.2,50,60", SURVEY_OF_PEOPLE, "not the size of a sample"),
        ("leeds,0.8,0.2,0,0", SURVEY_OF_PEOPLE, "not the size of a sample"),
        ("leeds,0.8,0.2,many,20", SURVEY_OF_PEOPLE, "not a number"),
        ("leeds,0.8,0.2,50,20", SURVEY_OF_PEOPLE.replace("reference", "table"), "sample: is of a reference"),
        ("leeds,0.8,0.2,50,20", SURVEY_OF_PEOPLE.replace("replies: n", "replies: m"), "column"),
    ],
)
def test_a_sample_that_cannot_be(tmp_path: Path, table: str, spec: str, says: str) -> None:
    (tmp_path / "target.yaml").write_text(spec, encoding="utf-8")
    (tmp_path / "table.csv").write_text(f"context,tea,coffee,n,independent\n{table}\n", encoding="utf-8")
    with pytest.raises(UserError, match=says):
        load_target(str(tmp_path))


def test_yes_and_no_are_words_not_truth_values(tmp_path: Path) -> None:
    text = helpers.TASK.replace("tea: [a cup of tea]", "yes: [sure]").replace(
        "coffee: [espresso]", "no: [never]"
    )
    text = text.split("targets:")[0] + "targets: {even: uniform}\n"
    assert list(load_task(str(helpers.write_task(tmp_path, text))).attributes["drink"].classes) == [
        "yes",
        "no",
    ]


def test_chat_history_and_plain_completions(tmp_path: Path) -> None:
    text = helpers.TASK.replace(
        '{id: ask, text: "What do people in {{ context.place }} drink?"}',
        'id: chat\n    messages:\n      - {role: system, content: Be brief.}\n      - {role: user, content: "Hello from {{ context.place }}"}\n'
        '      - {role: assistant, content: "We drink"}\n  - {id: plain, completion: "In {{ context.place }} we drink"}',
    )
    task = load_task(str(helpers.write_task(tmp_path, text)))
    chat, plain = prompts.render(task, task.contexts[:1], task.prompts[:2])
    assert [(m.role, m.content) for m in chat.messages] == [
        ("system", "Be brief."),
        ("user", "Hello from Leeds"),
        ("assistant", "We drink"),
    ]
    assert (plain.messages, plain.text) == ((), "In Leeds we drink")


def test_templates_are_sandboxed(tmp_path: Path) -> None:
    for attack in (
        "{{ context.__class__.__mro__ }}",
        "{{ ''.__class__ }}",
        "{% for i in range(10**9) %}x{% endfor %}",
        "{{ self._TemplateReference__context }}",
    ):
        text = helpers.TASK.replace("What do people in {{ context.place }} drink?", attack)
        task = load_task(str(helpers.write_task(tmp_path, text)))
        with pytest.raises(UserError):
            prompts.render(task, task.contexts, task.prompts)


def test_tasks_outside_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helpers.write_task(tmp_path / "tasks" / "tea")
    monkeypatch.setenv(INCLUDE, str(tmp_path))
    assert names("tasks")["tea"] == tmp_path / "tasks" / "tea"
    assert load_task("tea").name == "tea"
    with pytest.raises(UserError, match="no task 'gendr_us'") as err:
        find("tasks", "gendr_us")
    assert "gender_us" in err.value.nearest


def test_a_folder_here_is_found_by_its_name_but_hides_no_known_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mytea", "gender_us"):
        helpers.write_task(tmp_path / name)
    assert str(find("tasks", "mytea")) == "mytea/task.yaml"
    assert load_task("gender_us").title != "tea"


def test_a_column_that_is_not_there_has_its_nearest_named(tmp_path: Path) -> None:
    for written, problem, near in (
        ("context.plaice", "no column 'plaice'", "context.place"),
        ("place", "no column 'place'", "context.place"),
        ("context.place.x.y", "no column", ""),
    ):
        text = helpers.TASK.replace("context.place", written)
        task = load_task(str(helpers.write_task(tmp_path, text)))
        with pytest.raises(UserError, match=problem) as err:
            prompts.render(task, task.contexts, task.prompts)
        assert err.value.nearest == near


def test_a_target_is_looked_for_among_the_tasks_own_first() -> None:
    task = load_task("gender_us")
    with pytest.raises(UserError, match="no target 'labour'") as err:
        resolve(task, task.attributes["gender"], "labour")
    assert err.value.nearest.split(", ")[0] == "labor"


def test_a_folder_of_tasks_names_them(tmp_path: Path) -> None:
    helpers.write_task(tmp_path / "tea")
    with pytest.raises(UserError, match="no task") as err:
        load_task(str(tmp_path))
    assert err.value.nearest == str(tmp_path / "tea")


def test_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = helpers.write_task(tmp_path)
    (tmp_path / "contexts.csv").write_bytes("id,place\nx,Malmö\n".encode("latin-1"))
    with pytest.raises(UserError, match="not UTF-8"):
        load_task(str(path))


@pytest.mark.parametrize("kind", ["tasks", "targets"])
def test_everything_shipped_loads(kind: str) -> None:
    found = names("tasks") if kind == "tasks" else names("targets")
    assert found
    for path in found.values():
        if kind == "targets":
            target = load_target(str(path / "target.yaml"))
            assert target.kind == "uniform" or target.provenance
            continue
        task = load_task(str(path / "task.yaml"))
        assert prompts.render(task, task.contexts, task.prompts, {"choice": "x"})
        for attribute in task.attributes.values():
            for alias in attribute.targets:
                shares = resolve(task, attribute, alias).matrix(
                    task, attribute, [c.id for c in task.contexts]
                )
                assert np.allclose(shares.sum(axis=1), 1)
