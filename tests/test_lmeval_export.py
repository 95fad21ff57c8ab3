from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from harness.errors import UserError
from harness.lmeval.export import METRICS, export_task
from harness.scoring.table import score
from harness.tasks.target import targets_of
from harness.tasks.task import load_task
from tests.helpers import write_task

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

    from harness.tasks.target import Target
    from harness.tasks.task import Task

TASK = """\
name: tea
version: 3
attribute: drink
classes:
  tea: [a cup of tea]
  coffee: [espresso]
contexts: [{id: leeds, place: Leeds}, {id: oporto, place: "{{Oporto}}"}]
prompts:
  - {id: ask, text: "What do people in {{ context.place }} drink?"}
  - {id: cup, text: "Which cup stands on a table in {{ context.place }}?"}
sampling: {max_tokens: 6, temperature: 0.5}
targets:
  survey:
    name: survey
    attributes: {drink: {rows: {leeds: {tea: 0.8, coffee: 0.2}, oporto: {tea: 0.1, coffee: 0.9}}}}
    provenance: {publisher: us, table: t1, year: 2025, license: CC0, link: "https://example.org/t"}
"""
SHARES = {"Leeds": (0.6, 0.3, 0.1), "{{Oporto}}": (0.3, 0.7, 0.0)}
SAID = ("A cup of tea.", "Espresso!", "I would not know")


class Fake(LM):  # type: ignore[misc]  # lm_eval brings no types
    """Answers from known shares, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, dict[str, object]]] = []
        self.said: list[str] = []
        self._rng = np.random.default_rng(3)

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        for request in requests:
            text, arguments = request.args
            self.asked.append((text, arguments))
            shares = next(s for place, s in SHARES.items() if place in text)
            self.said.append(str(self._rng.choice(SAID, p=shares)))
        return self.said

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        raise NotImplementedError

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        raise NotImplementedError


def targets(task: Task, name: str) -> dict[str, Target]:
    return {a: found[0] for a, found in targets_of(task, [name]).items()}


@pytest.fixture
def tea(tmp_path: Path) -> Task:
    return load_task(str(write_task(tmp_path / "tea", task=TASK)))


def test_lm_eval_gives_our_divergences_over_all_draws(tea: Task, tmp_path: Path) -> None:
    export_task(tea, targets(tea, "survey"), tmp_path / "out", 30)
    manager = TaskManager(include_path=str(tmp_path / "out"), include_defaults=False)
    model = Fake()
    results = simple_evaluate(model, tasks=["tea"], task_manager=manager, bootstrap_iters=0)
    assert len(model.said) == 4 * 30, "n draws of every prompt in every context"
    first, arguments = model.asked[0]
    assert first == "What do people in Leeds drink?"
    assert any("{{Oporto}}" in text for text, _ in model.asked), "braces of a prompt are no template"
    assert arguments == {
        "do_sample": True,
        "temperature": 0.5,
        "top_p": 1.0,
        "top_k": 0,
        "max_gen_toks": 6,
        "until": [],
    }
    rows = {"Leeds": [0, 0, 0], "{{Oporto}}": [0, 0, 0]}
    for (text, _), said in zip(model.asked, model.said, strict=True):
        rows[next(p for p in rows if p in text)][SAID.index(said)] += 1
    counts = np.array(list(rows.values()))
    own = score(counts[:, :2], counts[:, 2], np.array([[0.8, 0.2], [0.1, 0.9]])).aggregate.scores
    for metric in METRICS:
        assert results["results"]["tea"][f"{metric},all"] == pytest.approx(own[metric].plugin, abs=1e-12)
    assert results["versions"]["tea"] == 3
    json.dumps(results["samples"], default=str)


def test_several_attributes_have_metrics_of_their_own(tmp_path: Path) -> None:
    both = TASK.replace(
        TASK[TASK.index("attribute: drink") : TASK.index("contexts:")],
        """\
attributes:
  drink: {classes: {tea: [a cup of tea], coffee: [espresso]}, targets: {even: uniform}}
  心情: {classes: [glad, sad], targets: {even: uniform}}
""",
    )
    task = load_task(str(write_task(tmp_path / "both", task=both[: both.index("targets:\n")])))
    folder = export_task(task, targets(task, "even"), tmp_path, 5)
    text = (folder / "tea.yaml").read_text(encoding="utf-8")
    assert [f"- metric: {a}_{m}\n" in text for a in ("drink", "心情") for m in METRICS] == [True] * 8


def test_what_lm_eval_cannot_ask_is_refused(tmp_path: Path) -> None:
    turns = TASK.replace(
        '{id: cup, text: "Which',
        '{id: cup, messages: [{role: system, content: x}, {role: user, content: "Which',
    ).replace('table in {{ context.place }}?"}', 'table in {{ context.place }}?"}]}')
    task = load_task(str(write_task(tmp_path / "turns", task=turns)))
    with pytest.raises(UserError, match="one user's turn") as refused:
        export_task(task, targets(task, "survey"), tmp_path, 5)
    assert "prompt cup" in refused.value.where
    mixed = TASK.replace("{id: cup, text:", "{id: cup, completion:")
    task = load_task(str(write_task(tmp_path / "mixed", task=mixed)))
    with pytest.raises(UserError, match="chats and plain texts"):
        export_task(task, targets(task, "survey"), tmp_path, 5)


@pytest.mark.slow
def test_the_lm_eval_command_runs_it_as_it_is(tea: Task, tmp_path: Path) -> None:
    from tests.sampling.tiny import make_tiny

    model = make_tiny(tmp_path / "model")
    export_task(tea, targets(tea, "survey"), tmp_path / "out", 20)
    line = f"--model hf --model_args pretrained={model} --device cpu --batch_size 32 --tasks tea"
    tool = str(Path(sys.executable).with_name("lm_eval"))
    command = [tool, *line.split(), "--include_path", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "--apply_chat_template", "--log_samples", "--output_path", str(tmp_path / "results")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "|kl_target_model|" in done.stdout
    (samples,) = (tmp_path / "results").rglob("samples_tea_*.jsonl")
    lines = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    assert [len(row["resps"][0]) for row in lines] == [20] * 4
