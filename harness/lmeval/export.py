"""Writes a task so that lm-evaluation-harness can run it: ``lm_eval --include_path DIR --tasks NAME``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from harness.errors import UserError
from harness.files import make_folder, write_atomic
from harness.tasks import prompts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.tasks.prompts import Rendered
    from harness.tasks.target import Target
    from harness.tasks.task import Task

METRICS = ("tv", "js", "kl_target_model", "kl_model_target")
_HEAD = """\
# Task {task} version {version} against {targets}, written by distalign {package}.
# Run:  lm_eval --model hf --model_args pretrained=MODEL{chat} --include_path {folder} --tasks {name}
# All {n} draws of a prompt reach the metrics. Model types that call an API send one constant seed with every draw:
# where the server heeds it, all draws are the same. Evaluate a server with distalign itself.
"""


def export_task(
    task: Task,
    targets: Mapping[str, Target],
    directory: Path,
    n: int,
    *,
    split: str = "all",
    paraphrases: str = "test",
) -> Path:
    """Write the folder of one lm-eval task.

    Args:
        task: A task that is measured by draws.
        targets: Attribute -> target; attributes without one get no metric.
        directory: Where the folder ``NAME`` is written.
        n: Draws per prompt (lm-eval's ``repeats``).
        split: Which contexts.
        paraphrases: Which prompts.

    Returns:
        The folder with NAME.yaml, utils.py, spec.json and docs.jsonl.
    """
    if task.measure != "draws":
        raise UserError(
            "lm-eval can run tasks that are measured by draws",
            where=task.name,
            found=f"measure: {task.measure}",
        )
    rendered = prompts.render(task, *prompts.select(task, split, paraphrases))
    chat = {bool(r.messages) for r in rendered}
    if len(chat) > 1:
        raise UserError("lm-eval cannot ask chats and plain texts in one task", where=task.name)
    rows = [_document(task, targets, r) for r in rendered]
    folder = directory / task.name
    make_folder(folder)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_atomic(folder / "docs.jsonl", lines)
    write_atomic(folder / "spec.json", json.dumps(_spec(task, targets), indent=1, ensure_ascii=False) + "\n")
    shutil.copyfile(Path(__file__).with_name("task.py"), folder / "utils.py")
    write_atomic(folder / f"{task.name}.yaml", _yaml(task, targets, directory, n, chat=chat == {True}))
    return folder


def metric_names(targets: Mapping[str, Target]) -> dict[str, dict[str, str]]:
    """Attribute -> metric name -> measure; the attribute is in the name where there are several."""
    several = len(targets) > 1
    return {a: {f"{a}_{m}" if several else m: m for m in METRICS} for a in targets}


def _document(task: Task, targets: Mapping[str, Target], rendered: Rendered) -> dict[str, str]:
    turns = list(rendered.messages)
    begun = turns.pop().content if turns and turns[-1].role == "assistant" else ""
    if turns and [t.role for t in turns] != ["user"]:
        raise UserError(
            "lm-eval asks one user's turn, with or without the beginning of its answer",
            where=f"{task.name}, prompt {rendered.prompt}",
            found=", ".join(m.role for m in rendered.messages),
        )
    shares = {a: t.row(task, task.attributes[a], rendered.context) for a, t in targets.items()}
    ordered = {a: [row[c] for c in task.attributes[a].classes] for a, row in shares.items()}
    return {
        "context": rendered.context,
        "prompt": rendered.prompt,
        "text": turns[0].content if turns else rendered.text,
        "begun": begun,
        "targets": json.dumps(ordered),
    }


def _spec(task: Task, targets: Mapping[str, Target]) -> dict[str, object]:
    attributes = {
        name: {"classes": {c: list(w) for c, w in a.classes.items()}, "reader": dict(a.reader)}
        for name, a in task.attributes.items()
        if name in targets
    }
    return {"language": task.language, "attributes": attributes, "metrics": metric_names(targets)}


class _Function(str):
    """A name that YAML writes as ``!function``."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes ``_Function``."""


_Dumper.add_representer(_Function, lambda dumper, name: dumper.represent_scalar("!function", str(name)))


def _yaml(task: Task, targets: Mapping[str, Target], directory: Path, n: int, *, chat: bool) -> str:
    from harness import __version__

    sampling = task.sampling
    head = _HEAD.format(
        task=task.name,
        version=task.version,
        targets=", ".join(sorted({t.name for t in targets.values()})),
        package=__version__,
        folder=directory,
        name=task.name,
        chat=" --apply_chat_template" if chat else "",
        n=n,
    )
    keys = {
        "task": task.name,
        "custom_dataset": _Function("utils.dataset"),
        "test_split": "test",
        "output_type": "generate_until",
        # Braces in a prompt are data: the template inserts the text and is not the text.
        "doc_to_text": "{{text}}",
        "doc_to_target": "",
        "gen_prefix": "{{begun}}",
        "generation_kwargs": {
            "do_sample": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "max_gen_toks": sampling.max_tokens,
            "until": list(sampling.stop),
        },
        "repeats": n,
        "filter_list": [{"name": "all", "filter": [{"function": "take_first_k", "k": n}]}],
        "process_results": _Function("utils.process_results"),
        "metric_list": [
            {"metric": name, "aggregation": _Function("utils.mean_over_contexts"), "higher_is_better": False}
            for names in metric_names(targets).values()
            for name in names
        ],
        "metadata": {"version": task.version},
    }
    return head + yaml.dump(keys, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
