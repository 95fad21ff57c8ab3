"""Scores of both replies of each pair, low being like people: by the critic, or by the features themselves.

Scores that tie in every pair say nothing, and the training is refused. Where the AUC's interval holds one half, scores
differ without telling people from the model: nothing is left to prefer. The training goes on then, since its weights
do not lead away from people's law, and the checkpoint's record says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from accelerate import PartialState
from safetensors.torch import load_file, save_file

from baselines.polyalign.auc import auc
from baselines.polyalign.critic import Evidence, cross_fitted, encoded, folds_of
from baselines.polyalign.support import Placed, distances
from harness.contract import CriticRecord
from harness.errors import UserError
from harness.files import make_folder
from harness.progress import say
from harness.records import read, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from baselines.polyalign.hdpo_recipe import HdpoRecipe
    from baselines.polyalign.pairs import ReplyPair
    from harness.natural.scaled import Floats
    from harness.tasks.people import People

RECORD, SCORES, WEIGHTS = "critic.json", "scores.safetensors", "critic.safetensors"
TIE = 1e-10
NOTHING_LEFT = "the AUC's interval holds 0.5: the scores do not tell people's replies from the model's, and nothing is left to prefer"
UPSIDE_DOWN = "the AUC lies below 0.5: the model's replies score better than people's"


class PairScores(NamedTuple):
    """Of people's replies and of the rejected ones, a score per pair."""

    chosen: Floats
    rejected: Floats
    record: CriticRecord


def scored(
    folder: Path, pairs: Sequence[ReplyPair], people: Mapping[str, People], encoder: Path, recipe: HdpoRecipe
) -> PairScores:
    """Score all pairs, or read the scores that an earlier run left.

    Args:
        folder: the stage's own; scores, weights and record are kept there.
        pairs: what is scored.
        people: by language, whose features D is computed from.
        encoder: folder of the model whose hidden states a critic reads.
        recipe: which score, and how a critic is trained.
    """
    state = PartialState()
    if state.is_main_process and not (folder / RECORD).is_file():
        make_folder(folder)
        _score(folder, pairs, people, encoder, recipe)
    state.wait_for_everyone()
    record = read(folder / RECORD, CriticRecord, hint=f"remove {folder}, and train again")
    found = load_file(folder / SCORES)
    say(f"{record.score}: AUC {record.auc:.3f} [{record.low:.3f}, {record.high:.3f}] {record.note}".rstrip())
    return PairScores(found["chosen"].numpy(), found["rejected"].numpy(), record)


def opening(pair: ReplyPair) -> tuple[str, str]:
    """What a pair's conversation opens with; turns of one conversation share it."""
    first = next((m.content for m in pair.prompt if m.role == "user"), "")
    return pair.language, first


def place(pair: ReplyPair, recipe: HdpoRecipe) -> tuple[str, str, str]:
    """Language, context and, as published, the length of the person's reply, which both replies are then held to."""
    return pair.language, pair.context, pair.bin if recipe.as_published else ""


def _score(
    folder: Path, pairs: Sequence[ReplyPair], people: Mapping[str, People], encoder: Path, recipe: HdpoRecipe
) -> None:
    """Write scores, a critic's weights, and last the record."""
    texts = [p.chosen for p in pairs] + [p.rejected for p in pairs]
    places = [place(p, recipe) for p in pairs]
    found = distances([Placed(text, *at) for text, at in zip(texts, places * 2, strict=True)], people)
    near = found[: len(pairs)], found[len(pairs) :]
    groups = [opening(p) for p in pairs]
    folds = np.zeros(len(pairs), dtype=np.int64)
    scores = near
    if recipe.score == "critic":
        folds = folds_of(groups, recipe.seed)
        states = encoded(texts, encoder, recipe)
        numbers = {at: i for i, at in enumerate(dict.fromkeys(places))}
        contexts = torch.tensor([numbers[at] for at in places])
        chosen, rejected = states.chunk(2)
        d_chosen, d_rejected = (torch.from_numpy(values).float() for values in near)
        evidence = Evidence(chosen, rejected, d_chosen, d_rejected, contexts)
        fitted = cross_fitted(evidence, folds, recipe)
        scores = fitted.chosen, fitted.rejected
        save_file(fitted.weights, folder / WEIGHTS)
    _refuse_ties(*scores, recipe)
    strata = list(zip(folds, places, strict=True))
    known, plain = auc(*scores, strata, groups), auc(*near, strata, groups)
    names = ("chosen", "rejected")
    save_file({k: torch.from_numpy(v) for k, v in zip(names, scores, strict=True)}, folder / SCORES)
    record = CriticRecord(
        score=recipe.score,
        auc=known.value,
        low=known.low,
        high=known.high,
        features_auc=plain.value,
        pairs=len(pairs),
        conversations=len(set(groups)),
        note=NOTHING_LEFT if known.low <= 0.5 <= known.high else UPSIDE_DOWN if known.high < 0.5 else "",
    )
    write(folder / RECORD, record)


def _refuse_ties(chosen: Floats, rejected: Floats, recipe: HdpoRecipe) -> None:
    if np.abs(chosen - rejected).max() > TIE:
        return
    other = "features" if recipe.score == "critic" else "critic"
    raise UserError(
        f"both replies of every pair have the same score by the {recipe.score}, so no reply is preferred",
        where="score",
        found=f"{len(chosen)} pairs that tie within {TIE:g}",
        expected="scores that differ",
        hint=f"--set score={other}, another --set encoder=MODEL, or a target with more replies of people",
    )
