"""What WALF does to a model, on professions and sentences that it was not trained on, in words that it was and was not.

python -m tests.benchmarks.walf MODEL OUT [--target labor] [--arms adaptive plain] [--seeds 42 52 62 72 82]
    [--text held-out.txt] [--recipe FILE] [--set KEY=VALUE]... [--carried]

Arms: adaptive (the weighted loss), plain (adaptive=false), published (adaptive with every published quirk). Checkpoints
are kept in OUT, so the same call goes on where it stopped.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from baselines import retention, seed, walf
from baselines.driver import Options, train
from baselines.walf.data import Sentences, without_last
from harness.sampling.hf import association
from harness.sampling.hf.association import Quirks
from harness.sampling.hf.budget import Budget
from harness.sampling.hf.choices import ChoicesEngine
from harness.tasks.prompts import select
from harness.tasks.target import resolve
from harness.tasks.task import load_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.tasks.target import Target

    Array = NDArray[np.float64]

ARMS = {"adaptive": (), "plain": ("adaptive=false",), "published": ("as_published=true",)}
PUBLISHED = Quirks(k_by_k=True, mean_nll=True, pooled=True)
QUIRKS = {
    "masked": {
        "corrected": Quirks(),
        "k_by_k": Quirks(k_by_k=True),
        "pooled": Quirks(pooled=True),
        "k_by_k, pooled": PUBLISHED,
    },
    "causal": {
        "corrected": Quirks(),
        "mean_nll": Quirks(mean_nll=True),
        "pooled": Quirks(pooled=True),
        "mean_nll, pooled": PUBLISHED,
    },
}
TASK = load_task("profession_gender")
ATTRIBUTE = TASK.attributes["gender"]
WORDS = association.paired(ATTRIBUTE.classes, "profession_gender")
RESAMPLES = 4000
LAST = 3
"""Words of each class that nothing but the measuring sees."""


@dataclass(frozen=True)
class Measured:
    """One checkpoint: the share of women it gives each test profession, by words and way of scoring, and its language loss.

    ``validation`` is what recipes are chosen by: KL on validation professions in the validation sentence, in the words
    trained on; with a hold_out of 6, in the first three of those kept, while the last three measure.
    """

    shares: dict[str, dict[str, Array]]
    language: float
    validation: float


def word_sets(hold_out: int) -> dict[str, association.Words]:
    """The words that are trained on, and the last ones, which nothing but the measuring sees."""
    found = {"words trained on": without_last(WORDS, hold_out)}
    if kept := min(hold_out, LAST):
        found["words never trained"] = {name: words[-kept:] for name, words in WORDS.items()}
    return found


def shares_of(
    engine: ChoicesEngine,
    target: Target,
    words: association.Words,
    quirks: Quirks,
    part: tuple[str, str] = ("test", "test"),
) -> Array:
    """Share of women in each profession of a split, over the sentences of a split."""
    checkpoint, masked = engine.checkpoint, engine.kind == "masked"
    maker = Sentences(TASK, checkpoint.tokenizer, words, masked=masked, quirks=quirks, group_by="band")
    contexts, prompts = select(TASK, *part)
    items = maker.items(ATTRIBUTE, target, contexts, prompts)
    budget = Budget(checkpoint.device, int(checkpoint.model.config.vocab_size))
    pad = checkpoint.tokenizer.pad_token_id or 0
    found = association.score_many(checkpoint.model, [i.inputs for i in items], pad, budget)
    scored = torch.from_numpy(np.array(found)).view(len(items), len(prompts), len(words), -1)
    shares: Array = association.log_shares(scored, quirks)[:, 1].exp().numpy()
    return shares


def language_loss(engine: ChoicesEngine, texts: Sequence[str]) -> float:
    """Mean loss of a token: masked alone (a fixed sample of them), or from those before it (ln of perplexity)."""
    checkpoint = engine.checkpoint
    tokenizer = checkpoint.tokenizer
    pad = cast("int", tokenizer.pad_token_id or 0)
    encoded = retention.encode(tokenizer, texts, 128)
    total = tokens = 0.0
    torch.manual_seed(0)
    for part in (encoded[i : i + 32] for i in range(0, len(encoded), 32)):
        if engine.kind == "masked":
            batch = retention.masked_batch(part, 64, cast("int", tokenizer.mask_token_id), pad)
        else:
            batch = retention.causal_batch(part, 0, pad)
        batch = {k: v.to(checkpoint.device) for k, v in batch.items()}
        with torch.inference_mode():
            loss = retention.loss(checkpoint.model, batch, "ce", None).item()
        total += loss * len(batch["token"])
        tokens += len(batch["token"])
    return total / tokens


def measured(folder: Path | str, target: Target, hold_out: int, texts: Sequence[str]) -> Measured:
    engine = ChoicesEngine(str(folder))
    shares = {
        words: {
            name: shares_of(engine, target, found, quirks) for name, quirks in QUIRKS[engine.kind].items()
        }
        for words, found in word_sets(hold_out).items()
    }
    part = ("validation", "validation")
    tried = without_last(WORDS, hold_out)
    if hold_out > LAST:
        tried = {name: found[len(tried[name]) : -LAST] for name, found in WORDS.items()}
    watched = shares_of(engine, target, tried, Quirks(), part)
    aims = target.matrix(TASK, ATTRIBUTE, [c.id for c in select(TASK, *part)[0]])[:, 1]
    return Measured(shares, language_loss(engine, texts), float(divergences(watched, aims).mean()))


def divergences(women: Array, target: Array) -> Array:
    """KL(target || model) of each profession, whole, in nats."""
    q, t = (np.stack([x, 1 - x]) for x in (women, target))
    return cast("Array", (t * (np.log(np.maximum(t, 1e-300)) - np.log(np.maximum(q, 1e-300)))).sum(0))


def references(target: Target, count: int) -> dict[str, Array]:
    """A model that always says one half, and one that knows nothing but the band's mean of training professions."""
    test, _ = select(TASK, "test", "test")
    train_part, _ = select(TASK, "train", "test")
    women = target.matrix(TASK, ATTRIBUTE, [c.id for c in train_part])[:, 1]
    bands = np.array([c.fields["band"] for c in train_part])
    means = {band: float(women[bands == band].mean()) for band in set(bands)}
    return {
        "always one half": np.full(count, 0.5),
        "band oracle": np.array([means[c.fields["band"]] for c in test]),
    }


def line(women: Array, target: Array, bands: Array) -> str:
    """KL, TV, slope and correlation; then the slope and correlation within each band."""
    fits = [fit(women, target), *(fit(women[bands == b], target[bands == b]) for b in sorted(set(bands)))]
    gap = np.abs(women - target)
    told = " | ".join(f"{slope:+.2f} / {r:+.2f}" for slope, r in fits)
    return f"{divergences(women, target).mean():.4f} | {gap.mean():.4f} | {gap.max():.3f} | {told}"


def fit(women: Array, target: Array) -> tuple[float, float]:
    """Slope of the model's shares over the target's, and their correlation; nan where either does not vary."""
    if women.std() < 1e-9 or target.std() < 1e-9:
        return float("nan"), float("nan")
    return float(np.polyfit(target, women, 1)[0]), float(np.corrcoef(target, women)[0, 1])


def interval(before: Array, after: Array, base: Array | None = None) -> str:
    """Reduction of mean KL in %, with a 95% interval from resampling professions and seeds.

    Args:
        before: KL of each profession, untuned.
        after: seeds x professions.
        base: another arm's ``after``; the result is then the difference of the two reductions.
    """
    rng = np.random.default_rng(0)
    found = []
    for draw in range(RESAMPLES + 1):
        rows = np.arange(len(after)) if not draw else rng.integers(len(after), size=len(after))
        columns = np.arange(len(before)) if not draw else rng.integers(len(before), size=len(before))
        value = after[np.ix_(rows, columns)].mean()
        other = before[columns].mean() if base is None else base[np.ix_(rows, columns)].mean()
        found.append(100 * (other - value) / before[columns].mean())
    low, high = np.percentile(found[1:], [2.5, 97.5])
    return f"{found[0]:.1f} [{low:.1f}, {high:.1f}]"


def published(before: dict[str, Array], after: Sequence[dict[str, Array]], target: Array) -> None:
    """The same checkpoints, scored in each published way."""
    print("scored as | KL untuned | KL tuned | reduction %")
    for name, shares in before.items():
        first = divergences(shares, target)
        rest = np.stack([divergences(tuned[name], target) for tuned in after])
        print(f"{name} | {first.mean():.4f} | {rest.mean():.4f} | {interval(first, rest)}")


def carried(folder: Path | str, target: Target, hold_out: int) -> None:
    """What carries over to words, professions and sentences that were held out, one after another."""
    engine = ChoicesEngine(str(folder))
    print(f"\n{folder}\nwords | professions | sentences | KL | r")
    for name, words in word_sets(hold_out).items():
        for part in (("train", "train"), ("train", "test"), ("test", "train"), ("test", "test")):
            contexts, _ = select(TASK, *part)
            women = target.matrix(TASK, ATTRIBUTE, [c.id for c in contexts])[:, 1]
            shares = shares_of(engine, target, words, Quirks(), part)
            told = f"{divergences(shares, women).mean():.4f} | {fit(shares, women)[1]:+.2f}"
            print(f"{name} | {part[0]} | {part[1]} | {told}")


def report(
    before: dict[str, Array], found: dict[str, list[dict[str, Array]]], target: Target, seeds: Sequence[int]
) -> None:
    """The tables of one set of words."""
    contexts, _ = select(TASK, "test", "test")
    women = target.matrix(TASK, ATTRIBUTE, [c.id for c in contexts])[:, 1]
    bands = np.array([c.fields["band"] for c in contexts])
    print("model | KL | TV | worst gap | slope / r | " + " | ".join(sorted(set(bands))))
    fixed = references(target, len(women))
    rows = {"untuned": before["corrected"], **fixed}
    for arm, several in found.items():
        rows |= {f"{arm} {n}": shares["corrected"] for n, shares in zip(seeds, several, strict=True)}
    for name, shares in rows.items():
        print(f"{name} | {line(shares, women, bands)}")
    first = divergences(before["corrected"], women)
    after = {
        a: np.stack([divergences(s["corrected"], women) for s in several]) for a, several in found.items()
    }
    print("\narm | reduction of KL, %")
    for name, kls in {**{n: divergences(s, women)[None] for n, s in fixed.items()}, **after}.items():
        print(f"{name} | {interval(first, kls)}")
    for other in after.keys() - {"adaptive"}:
        if "adaptive" in after:
            print(f"adaptive less {other}, points | {interval(first, after['adaptive'], after[other])}")
    for arm, several in found.items():
        print(f"\n{arm} checkpoints: ", end="")
        published(before, several, women)


def main() -> None:
    """Train what is missing, measure everything, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out", type=Path)
    parser.add_argument("--target", default="labor")
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=["adaptive", "plain"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[42, 52, 62, 72, 82])
    parser.add_argument("--text", type=Path, default=seed.held_out_path())
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--carried", action="store_true", help="also what carries over, split by split")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    given: Any = parser.parse_args()
    hold_out = walf.METHOD.read_recipe(given.recipe, given.settings).hold_out
    target = resolve(TASK, ATTRIBUTE, given.target)
    texts = given.text.read_text(encoding="utf-8").splitlines()[:200]

    before = measured(given.model, target, hold_out, texts)
    found: dict[str, list[Measured]] = {}
    for arm in given.arms:
        for number in given.seeds:
            out = given.out / given.target / arm / str(number)
            chosen = Options(recipe=given.recipe, settings=(*given.settings, *ARMS[arm], f"seed={number}"))
            train("walf", given.model, TASK.name, given.target, out, chosen)
            found.setdefault(arm, []).append(measured(out, target, hold_out, texts))

    print(f"{given.model}, target {given.target}: seeds {given.seeds}")
    for arm, several in found.items():
        losses = [m.language for m in several]
        told = f"{before.language:.4f} -> {np.mean(losses):.4f}, in each {[round(x, 4) for x in losses]}"
        watched = f"{before.validation:.4f} -> {np.mean([m.validation for m in several]):.4f}"
        print(f"{arm}: language loss {told}; KL on validation {watched}")
    for words in before.shares:
        print(f"\n## {words}: {word_sets(hold_out)[words]}\n")
        report(
            before.shares[words],
            {a: [m.shares[words] for m in ms] for a, ms in found.items()},
            target,
            given.seeds,
        )
    for folder in (given.model, *(given.out / given.target / arm / str(given.seeds[0]) for arm in found)):
        if given.carried:
            carried(folder, target, hold_out)


if __name__ == "__main__":
    main()
