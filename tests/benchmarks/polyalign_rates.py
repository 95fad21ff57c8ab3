"""Which learning rate an arm of PolyAlign should have: bits per byte of validation people, with as many tries for each.

python -m tests.benchmarks.polyalign_rates OUT --model MODEL --corpus FILE --target T --validation TASK
    --arms full_sft,bucket_sft [--setting learning_rate] --values 1e-4,3e-4,1e-3 [--first OUT] [--set KEY=VALUE]

TASK holds people of the validation split: nobody is drawn from, and no test person is looked at. ``--first`` is the
folder of a run of ``tests.benchmarks.polyalign`` whose first stages *dpo* and *hdpo* start from. The same command goes
on where it stopped. OUT/rates.json has the bits of every try by context.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from baselines.methods import named
from baselines.recipe import REAL
from harness.progress import phase
from harness.records import Number, Record, read, write
from harness.retained.record import utility_of
from harness.retained.utility import Wanted, measure
from tests.benchmarks.polyalign import Plan, shown, trained


class Try(Record):
    """One arm with one rate."""

    arm: str
    setting: str
    value: str
    bits: dict[str, Number]
    """Context -> bits per byte of validation people's replies."""
    seconds: Number

    @property
    def mean(self) -> float:
        """Over contexts."""
        return float(np.mean(list(self.bits.values())))


class Tries(Record):
    """All of them."""

    command: str
    model: str
    tries: tuple[Try, ...] = ()


def best(tries: Tries) -> dict[str, Try]:
    """Arm -> the try with the fewest bits."""
    arms = dict.fromkeys(one.arm for one in tries.tries)
    return {arm: min((t for t in tries.tries if t.arm == arm), key=lambda t: t.mean) for arm in arms}


def share(donors: Path, out: Path) -> None:
    """Show the checkpoints that a second stage starts from in another folder."""
    out.mkdir(parents=True, exist_ok=True)
    for arm in ("full_sft", "bucket_sft"):
        link = out / f"{arm}-0"
        if (donors / link.name).is_dir() and not link.exists():
            link.symlink_to((donors / link.name).resolve())


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", type=Path, action="append", required=True)
    parser.add_argument("--target", action="append", required=True)
    parser.add_argument("--validation", required=True)
    parser.add_argument("--arms", default="full_sft,bucket_sft")
    parser.add_argument("--setting", default="learning_rate")
    parser.add_argument("--values", required=True)
    parser.add_argument("--first", type=Path)
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    file = given.out / "rates.json"
    command = "python -m tests.benchmarks.polyalign_rates " + " ".join(shown(sys.argv[1:]))
    found = Tries(command=command, model=Path(given.model).name)
    if file.is_file():
        found = found.model_copy(update={"tries": read(file, Tries, hint="remove it and run again").tries})
    plan = Plan(
        given.out,
        given.model,
        named("polyalign").folder / REAL,
        tuple(given.corpus),
        tuple(given.target),
        (given.validation,),
        (),
        0,
        tuple(given.set),
        "",
    )
    for value in given.values.split(","):
        for arm in given.arms.split(","):
            if any((t.arm, t.setting, t.value) == (arm, given.setting, value) for t in found.tries):
                continue
            here = replace(plan, out=given.out / value, settings=(*plan.settings, f"{given.setting}={value}"))
            if given.first:
                share(given.first / "checkpoints", here.out / "checkpoints")
            with phase(f"{arm}, {given.setting} {value}"):
                folder, seconds = trained(here, arm, 0)
                measure(folder, Wanted(replies=given.validation))
            kept = utility_of(Path(folder))
            assert kept is not None
            assert kept.replies is not None
            bits = {c: b.bits for c, b in kept.replies.contexts.items()}
            one = Try(arm=arm, setting=given.setting, value=value, bits=bits, seconds=seconds)
            found = found.model_copy(update={"tries": (*found.tries, one)})
            write(file, found)
    for one in sorted(found.tries, key=lambda t: (t.arm, t.mean)):
        print(
            f"{one.arm:12} {one.setting} {one.value:>8}  {one.mean:.4f} bits per byte  {one.seconds:6.0f} s"
        )
    for arm, one in best(found).items():
        print(f"{arm}: {one.setting}={one.value}")


if __name__ == "__main__":
    main()
