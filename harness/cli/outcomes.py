"""What ``evaluate`` says of the answers: outcomes by prompt, and where many are no class, which and what can be done."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import numpy as np

from harness.checking import WITH_MODELS
from harness.cli.show import told
from harness.distinct import Heard, Sought, said
from harness.plaintext import table
from harness.runs.source import task_of
from harness.sampling.open import parse
from harness.scores import scored_targets
from harness.scoring.outcomes import Certain, Counts, read_certain, read_counts
from harness.terms import INVALID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from harness.runs.folder import Run
    from harness.tasks.task import Attribute, Task

ENOUGH = 0.9
"""Share of answers that name a class from which nothing more is said."""
MANY_CUT = 0.05
"""Share of answers cut before a decision from which more tokens are worth a line."""
WORTH = 0.0005
"""Undecided share from which it is told: less shows as 0.0%."""
PROMPTS = 8
"""Prompts that are listed, those with the fewest classes first."""
TEXTS = 5
PAGE = "docs/no-answer.md"
BEGINNINGS = {"en": "The answer is", "zh": "答案是"}
ORDERS = {
    "en": "Answer with one of these and nothing else: {}.",
    "zh": "只回答下面其中一个，不要说别的：{}。",
}


def lines(run: Run) -> list[str]:
    """Outcomes by prompt of every attribute, and help where under nine in ten answers name a class."""
    drawn = run.identity.measure == "draws"
    found = read_counts(run.folder / "counts.csv") if drawn else read_certain(run.folder / "shares.csv")
    out: list[str] = []
    shown: dict[tuple[str, ...], str] = {}
    for one in found:
        shares = by_prompt(one)
        out += _outcomes(one, shares)
        totals = np.mean(list(shares.values()), axis=0)
        valid = valid_share(one, totals)
        # What a limit left undecided may name a class yet.
        if valid + undecided(one, totals) < ENOUGH and not run.contract.labels:
            texts = _commonest(run, one)
            first = shown.setdefault(tuple(texts), one.attribute) if texts else one.attribute
            if first != one.attribute:
                out.append(
                    f"  {valid:.1%} of the answers name a class of {one.attribute}. The others are as for {first}."
                )
            else:
                out += _help(run, one, totals, texts)
    return out


def by_prompt(found: Counts | Certain) -> dict[str, NDArray[np.float64]]:
    """Each prompt's share of every outcome over its contexts; of a run without draws what is certain, and what is not."""
    rows: dict[str, list[tuple[float, ...]]] = {}
    for (_, prompt), row in found.cells.items():
        rows.setdefault(prompt, []).append(row)
    sums = {prompt: np.sum(np.array(each, dtype=np.float64), axis=0) for prompt, each in rows.items()}
    if isinstance(found, Counts):
        return {prompt: row / max(row.sum(), 1.0) for prompt, row in sums.items()}
    return {prompt: row / len(rows[prompt]) for prompt, row in sums.items()}


def valid_share(found: Counts | Certain, shares: NDArray[np.float64]) -> float:
    """The share of the classes together."""
    return float(shares[: len(found.classes)].sum())


def undecided(found: Counts | Certain, shares: NDArray[np.float64]) -> float:
    """The share of which no outcome is known."""
    return float(shares[len(found.outcomes) :].sum())


def _outcomes(found: Counts | Certain, shares: Mapping[str, NDArray[np.float64]]) -> list[str]:
    ordered = sorted(shares, key=lambda prompt: valid_share(found, shares[prompt]))
    listed = ordered[:PROMPTS] if len(ordered) > PROMPTS else list(shares)
    ever = [i for i, o in enumerate(found.outcomes) if o not in INVALID or any(s[i] for s in shares.values())]
    open_ = any(undecided(found, row) >= WORTH for row in shares.values())
    rows = [["prompt", *(found.outcomes[i] for i in ever), *["undecided"] * open_, "names a class"]]
    for prompt in listed:
        row = shares[prompt]
        cells = [*(row[i] for i in ever), *[undecided(found, row)] * open_, min(valid_share(found, row), 1.0)]
        rows.append([prompt, *(f"{share:.1%}" for share in cells)])
    out = [f"  {found.attribute} by prompt:", *("    " + line for line in table(rows))]
    if len(ordered) > PROMPTS:
        out.append(f"    and {len(ordered) - PROMPTS} more prompts, in which more answers name a class")
    return out


def _commonest(run: Run, found: Counts | Certain) -> list[str]:
    """The commonest answers that name no class, as a table; nothing where none were drawn, or a model would have to read them."""
    task = task_of(run)
    if isinstance(found, Certain) or task.attributes[found.attribute].reader.get("name") in WITH_MODELS:
        return []
    texts, draws = said(run, task, found.attribute, Sought(outcomes=INVALID))
    return table(told(Heard(texts[:TEXTS], draws)))


def _help(
    run: Run, found: Counts | Certain, totals: NDArray[np.float64], commonest: Sequence[str]
) -> list[str]:
    task = task_of(run)
    attribute = task.attributes[found.attribute]
    left = undecided(found, totals)
    rest = f", and {left:.1%} are undecided" if left >= WORTH else ""
    out = [f"  {valid_share(found, totals):.1%} of the answers name a class of {attribute.name}{rest}."]
    if commonest:
        out[0] += " The commonest that do not:"
        out += ["    " + line for line in commonest]
    out.append(f"  What can be done ({PAGE} tells more):")
    for what, command in remedies(run, task, attribute, dict(zip(found.outcomes, totals, strict=False))):
        out += [f"    {what}:", f"      {command}"]
    return out


def remedies(
    run: Run, task: Task, attribute: Attribute, shares: Mapping[str, float]
) -> list[tuple[str, str]]:
    """What may make more answers name a class, each with a command to type; the first ones cost least."""
    from reports.command import command

    # RUNS/MODEL/TASK/HASH
    runs = str(run.folder.parents[2])
    elsewhere = {} if runs == "runs" else {"-o": runs}

    def again(flag: str, value: str) -> str:
        return command(run, scored_targets(run), {flag: value, **elsewhere}, task)

    who, found = run.identity, []
    if who.measure == "draws":
        worst = max(INVALID, key=lambda outcome: shares[outcome])
        look = ["distalign", "show", str(run.folder), "--attribute", attribute.name, "--outcome", worst]
        found.append((f"see what was {worst}", shlex.join(look)))
    if shares["truncated"] >= MANY_CUT:
        longer = 4 * who.sampling.max_tokens
        found.append(("let answers be longer, as many are cut", again("--max-tokens", str(longer))))
    if attribute.reader.get("name") != "words":
        return found
    if not who.continue_from:
        found.append(("begin the answer for the model", again("--continue-from", BEGINNINGS[task.language])))
    if not who.system:
        order = ORDERS[task.language].format(_listed(attribute, task.language))
        found.append(("say in a system message what is wanted", again("--system", order)))
    asked = run.manifest.model_string
    if len(task.attributes) == 1 and asked and "choices" in parse(asked).spec.measures:
        found.append(
            ("draw nothing, and compare the probabilities of the classes", again("--measure", "choices"))
        )
    if attribute.reader.get("rule", "decision") == "decision":
        copy = f"{task.name}_first"
        what = (
            f"count the first class that a text names: a copy of the task, whose task.yaml then says "
            f"name: {copy} and reader: {{name: words, rule: first}}; how many of its examples are then still read "
            f"right, distalign task check {copy}/task.yaml says"
        )
        found.append((what, shlex.join(["cp", "-r", str(task.folder), copy])))
    return found


def _listed(attribute: Attribute, language: str) -> str:
    """The classes in words of the task's language."""
    first = [
        next((w for w in wordings if (w >= "\u2e80") == (language == "zh")), name)
        for name, wordings in attribute.classes.items()
    ]
    return ("、" if language == "zh" else ", ").join(first)
