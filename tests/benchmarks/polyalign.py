"""Every arm of PolyAlign on people whose law is stated, or on a corpus and a model of yours, evaluated alike.

python -m tests.benchmarks.polyalign OUT [--languages en,zh] [--seeds 3] [--rows 0] [--prompts 200] [-n 4]
python -m tests.benchmarks.polyalign OUT --model MODEL --corpus FILE --target T --task K [--recipe FILE]

Without a corpus the tiny model is trained on the generated people (``baselines.seed.people``), and its replies are held
against their stated law. Then four weightings of the loss on people's replies are trained too, and held against what
they should be least at, computed from the training rows. The same command goes on where it stopped; ``--arms`` does a
part. OUT/polyalign.json has every measure by context; OUT/polyalign.md is its page.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from baselines.driver import Options, share_first_stage, train
from baselines.method import Call, Job
from baselines.methods import named
from baselines.needs import Asked, Replies
from baselines.polyalign.data import people_rows
from baselines.polyalign.recipe import Recipe
from baselines.polyalign.sft import Weighed, people_stage
from baselines.polyalign.support import by_language
from baselines.polyalign.turns import fitted, tokenizer_with_template
from baselines.polyalign.weighting import per_token, row_weights
from baselines.recipe import REAL, TINY
from baselines.seed import causal_path
from baselines.seed.people import Kind, generate, kinds, shorten
from harness.contract import FILE as CONTRACT
from harness.contract import read_checkpoint
from harness.evaluation import evaluate
from harness.importers.corpus import read_replies
from harness.importers.gathered import context_of
from harness.importers.reference import ReferenceOptions, import_reference
from harness.progress import phase
from harness.reading.style import OUTCOMES
from harness.records import read
from harness.retained.record import utility_of
from harness.retained.utility import Wanted, measure
from harness.sampling.hf.source import find
from harness.scores import scores_of
from harness.settings import Settings
from harness.tasks.target import load_target
from harness.tasks.target_file import Provenance
from harness.tasks.task import load_task
from tests.benchmarks.polyalign_page import ARMS, Found, PolyalignRecord, Weighting, keep, mean_of, page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.importers.reference import Language
    from harness.runs.folder import Run

WEIGHTINGS = {
    "context, sum over tokens": Weighed("context"),
    "context and length, sum": Weighed("bucket"),
    "context, own mean": Weighed("context", own_length=True),
    "context and length, own mean": Weighed("bucket", own_length=True),
}
Law = dict[str, dict[str, dict[str, float]]]
"""Context -> attribute -> class -> share."""


@dataclass(frozen=True)
class Plan:
    """What is compared on what."""

    out: Path
    model: str
    recipe: Path
    corpora: tuple[Path, ...]
    targets: tuple[str, ...]
    tasks: tuple[str, ...]
    laws: tuple[Law, ...]
    """Stated, by task; none for a corpus of real people."""
    n: int
    settings: tuple[str, ...]
    encoder: str
    """Folder of a sentence encoder; '' without."""


def generated(
    out: Path, languages: Sequence[Language], prompts: int
) -> tuple[list[Path], list[str], list[str], list[Law]]:
    """The generated people, their targets, their tasks with so many prompts a context, and their law."""
    source = Provenance(
        publisher="-", table="generated people", year=2026, license="CC0", link="https://example.org"
    )
    corpora, targets, tasks, laws = [], [], [], []
    for language in languages:
        path, target, task = (out / part / f"people_{language}" for part in ("data", "targets", "tasks"))
        path = path.with_suffix(".jsonl")
        if not (target / "target.yaml").is_file():
            generate(path, language)
            import_reference(
                [str(path)], target, ReferenceOptions(language, source, split="train", task=task)
            )
            shorten(task / "prompts.jsonl", prompts)
        named_kinds = dict.fromkeys(context_of(r) for r in read_replies(str(path), {}))
        laws.append(dict(zip(named_kinds, (law(k) for k in kinds(language)), strict=True)))
        corpora.append(path)
        targets.append(str(target))
        tasks.append(str(task))
    return corpora, targets, tasks, laws


def law(kind: Kind) -> dict[str, dict[str, float]]:
    """Shares of each attribute in a context of the generated people."""
    found: dict[str, dict[str, float]] = {"length": dict(kind.lengths)}
    for length, share in kind.lengths.items():
        for attribute, classes in kind.shapes[length].items():
            into = found.setdefault(attribute, {})
            for name, part in classes.items():
                into[name] = into.get(name, 0.0) + share * part
    return found


def distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """TV of two laws."""
    return sum(abs(one.get(k, 0.0) - other.get(k, 0.0)) for k in {*one, *other}) / 2


def assessed(plan: Plan, arm: str, seed: int, folder: str, seconds: float) -> list[Found]:
    """Evaluate a model on every task."""
    found = []
    for number, task in enumerate(plan.tasks):
        settings = Settings(n=plan.n, out=plan.out / "runs", seed=seed)
        run = evaluate(folder, task, plan.targets[number], settings)
        kept = utility_of(run.folder)
        if kept is None or kept.replies is None:
            measure(folder, Wanted(replies=task, encoder=plan.encoder), [run.folder])
        stated = plan.laws[number] if plan.laws else {}
        found.append(_found(arm, seed, run, Path(folder), stated, seconds))
    return found


def _found(arm: str, seed: int, run: Run, folder: Path, stated: Law, seconds: float) -> Found:
    tv: dict[str, dict[str, float]] = {}
    to_law: dict[str, dict[str, float]] = {}
    lengths: dict[str, dict[str, float]] = {}
    people: dict[str, dict[str, float]] = {}
    metrics: dict[str, float] = {}
    results = scores_of(run).results
    for result in results:
        for context, score in zip(result.context_ids, result.table.contexts, strict=True):
            shares = dict(zip(result.classes, (s.value for s in score.shares), strict=True))
            tv.setdefault(context, {})[result.attribute] = score.scores["tv"].estimate
            if stated:
                to_law.setdefault(context, {})[result.attribute] = distance(
                    shares, stated[context][result.attribute]
                )
            if result.attribute == "length":
                lengths[context] = shares
        metrics |= {k: m.value for k, m in result.metrics.items()}
        for context, of in (result.people or {}).items():
            people[context] = {k: m.value for k, m in of.items()}
    kept = utility_of(run.folder)
    bits = {c: b.bits for c, b in kept.replies.contexts.items()} if kept and kept.replies else {}
    valid = float(np.mean([r.table.aggregate.valid.value for r in results]))
    critic = read_checkpoint(folder).critic if (folder / CONTRACT).is_file() else None
    auc = (critic.auc, critic.low, critic.high) if critic else None
    return Found(
        arm=arm,
        seed=seed,
        task=run.identity.task,
        seconds=seconds,
        valid=valid,
        n=run.n,
        tv=tv,
        law_tv=to_law,
        lengths=lengths,
        metrics=metrics,
        people=people,
        bits=bits,
        auc=auc,
    )


def trained(plan: Plan, arm: str, seed: int) -> tuple[str, float]:
    """A checkpoint of an arm, and the seconds that it took."""
    if arm == "base":
        copied = plan.out / "checkpoints" / "base"  # what is measured of a model is kept beside it
        shutil.copytree(find(plan.model).folder, copied, dirs_exist_ok=True)
        return str(copied), 0.0
    out = plan.out / "checkpoints" / f"{arm}-{seed}"
    start = time.monotonic()
    first = {"dpo": "full_sft", "hdpo": "bucket_sft", "hdpo_features": "bucket_sft"}.get(arm)
    if first:
        share_first_stage(plan.out / "checkpoints" / f"{first}-{seed}", out)
    score = ("score=features",) if arm == "hdpo_features" else ()
    settings = (f"arm={arm.removesuffix('_features')}", f"seed={seed}", *score, *plan.settings)
    options = Options(recipe=plan.recipe, settings=settings, corpora=plan.corpora)
    train("polyalign", plan.model, "", plan.targets, out, options)
    return str(out), time.monotonic() - start


def weighted(plan: Plan, name: str) -> tuple[str, float]:
    """The model fine-tuned by one of the four weightings, and the seconds that it took."""
    out = plan.out / "checkpoints" / name.replace(",", "").replace(" ", "_")
    start = time.monotonic()
    if name == "context, sum over tokens":
        return trained(plan, "bucket_sft", 0)  # which is this
    asked = Asked(targets=plan.targets, corpora=plan.corpora)
    job = named("polyalign").training(Call(plan.model, "", asked, out, plan.recipe, plan.settings)).job
    assert isinstance(job.about, Replies)
    assert isinstance(job.recipe, Recipe)
    tokenizer = tokenizer_with_template(job.source.folder, "")
    rows = people_rows(job.about, by_language(job.about.targets), job.recipe.rows)
    rows = fitted(rows, tokenizer, job.recipe.max_length)
    final = people_stage(
        Job(job.method, job.recipe, job.about, job.source, out), tokenizer, rows, WEIGHTINGS[name]
    )
    return str(final), time.monotonic() - start


def predicted(plan: Plan, name: str, task: int) -> dict[str, dict[str, float]]:
    """Context -> share of each length where the loss of a weighting is least, from the training rows."""
    asked = Asked(targets=plan.targets, corpora=plan.corpora)
    job = named("polyalign").training(Call(plan.model, "", asked, plan.out, plan.recipe, plan.settings)).job
    assert isinstance(job.about, Replies)
    assert isinstance(job.recipe, Recipe)
    tokenizer = tokenizer_with_template(job.source.folder, "")
    rows = people_rows(job.about, by_language(job.about.targets), job.recipe.rows)
    tokens = [len(tokenizer(row.text, add_special_tokens=False)["input_ids"]) + 1 for row in rows]
    weighed = WEIGHTINGS[name]
    unit = per_token(tokens, [f"{r.language} {r.context}" for r in rows], own_length=weighed.own_length)
    weights = unit * row_weights(rows, weighed.weights)
    language = load_task(plan.tasks[task]).language
    found: dict[str, dict[str, float]] = {}
    for row, weight in zip(rows, weights, strict=True):
        if row.language == language:
            into = found.setdefault(row.context, dict.fromkeys(OUTCOMES["length"], 0.0))
            into[row.bin] += float(weight)
    return {c: {k: v / sum(shares.values()) for k, v in shares.items()} for c, shares in found.items()}


def weighting(plan: Plan, one: Found) -> Weighting:
    """How near a model came to what its weighting is least at, and to people."""
    number = [load_task(t).name for t in plan.tasks].index(one.task)
    guess, people = predicted(plan, one.arm, number), predicted(plan, "context, sum over tokens", number)
    return Weighting(
        weights=one.arm,
        task=one.task,
        model_to_prediction=float(np.mean([distance(one.lengths[c], guess[c]) for c in guess])),
        prediction_to_people=float(np.mean([distance(guess[c], people[c]) for c in guess])),
        model_to_law=mean_of(one.near, "length"),
    )


def begun(plan: Plan, command: str) -> PolyalignRecord:
    """What is known before anything is trained."""
    contexts: dict[str, dict[str, int]] = {}
    for task, target in zip(plan.tasks, plan.targets, strict=True):
        samples = load_target(target).tables["length"].samples
        contexts[load_task(task).name] = {
            c: int(samples[c].replies) for c in (x.id for x in load_task(task).contexts)
        }
    model = "the tiny causal model" if plan.model == str(causal_path()) else Path(plan.model).name
    return PolyalignRecord(command=command, model=model, stated=bool(plan.laws), contexts=contexts)


def main() -> None:
    """Train, evaluate, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default=str(causal_path()))
    parser.add_argument("--corpus", type=Path, action="append", default=[])
    parser.add_argument("--target", action="append", default=[])
    parser.add_argument("--task", action="append", default=[])
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--languages", default="en,zh")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--weightings", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("-n", type=int, default=4)
    parser.add_argument("--encoder", default="", help="folder of a sentence encoder")
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    laws: list[Law] = []
    corpora, targets, tasks = given.corpus, given.target, given.task
    if not corpora:
        corpora, targets, tasks, laws = generated(given.out, given.languages.split(","), given.prompts)
    recipe = given.recipe or named("polyalign").folder / (REAL if given.corpus else TINY)
    plan = Plan(
        given.out,
        given.model,
        recipe,
        tuple(corpora),
        tuple(targets),
        tuple(tasks),
        tuple(laws),
        given.n,
        tuple(given.set),
        given.encoder,
    )
    file = given.out / "polyalign.json"
    record = begun(plan, "python -m tests.benchmarks.polyalign " + " ".join(shown(sys.argv[1:])))
    if file.is_file():
        kept = read(file, PolyalignRecord, hint="remove it and run again")
        record = record.model_copy(update={"found": kept.found, "weightings": kept.weightings})
    wanted = [
        (arm, seed)
        for seed in range(given.seeds)
        for arm in given.arms.split(",")
        if arm and (arm != "base" or not seed)
    ]
    for arm, seed in wanted:
        if not record.of(arm, seed):
            with phase(f"{arm}, seed {seed}"):
                folder, seconds = trained(plan, arm, seed)
                found = assessed(plan, arm, seed, folder, seconds)
            record = record.model_copy(update={"found": (*record.found, *found)})
        keep(file, record)
    for name in WEIGHTINGS if laws and given.weightings else ():
        if not any(one.weights == name for one in record.weightings):
            with phase(name):
                folder, seconds = weighted(plan, name)
                rows = [weighting(plan, one) for one in assessed(plan, name, 0, folder, seconds)]
            record = record.model_copy(update={"weightings": (*record.weightings, *rows)})
            keep(file, record)
    print(page(record, file.name))


def shown(words: Sequence[str]) -> list[str]:
    """What was typed, without the folders of this machine."""
    return [Path(word).name if "/" in word else word for word in words]


if __name__ == "__main__":
    main()
