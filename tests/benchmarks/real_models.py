"""The page of real models, ``docs/results/real.md``, from the record that ``make real`` wrote.

python -m tests.benchmarks.real_models [real/real.json]
python -m tests.benchmarks.real_models --speed OUT.json --smollm2 FILE.gguf --sft CHECKPOINT --gemma FILE.gguf

The record is kept beside the page as ``real.json``; without one given, the page is made from that again. ``--speed``
measures how fast each way draws, goes on where it was stopped, and makes ``docs/results/real_speed.md``.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from baselines.real.record import RealRecord
from baselines.real.run import PARAGRAPHS, STEPS, TASKS, UNTUNED
from harness.files import write_atomic
from harness.records import read, write
from tests.benchmarks import real_speed

if TYPE_CHECKING:
    from baselines.real.record import RealRow, Tv

FOLDER = Path(__file__).parents[2] / "docs" / "results"
RECORD, PAGE = FOLDER / "real.json", FOLDER / "real.md"
HEAD = """\
# The methods on a real model

Made by `python -m tests.benchmarks.real_models` from [real.json](real.json), the record of a run of
`baselines.real` with the n of each row (`make real` draws 25). Do not edit.

The model is `{model}` ({licence}; sha256 `{sha256}`), of 135 million weights, stored in about four bits each and
unpacked to float32. {machine}. The methods train an adapter on 100 rows of each of 8 occupations, each distinct one once
an epoch with its number as weight (`baselines/METHOD/recipe_real.yaml`), with one seed. All are asked the task's two test paraphrases, on which nothing was
trained, at temperature 1, with the task's limit of tokens.

**What this proves.** That the whole path works on a model as people have it on their disks, and what each method does to
this one. It ranks no methods: one small model, one seed and few steps. The learning rates of sft, dpo and klkto (last
stages) are the best of three on *validation* paraphrases of `gender_us`, dpo's of `gender_us` and `race_us`
([real_rates.json](real_rates.json)). The
untuned model seldom answers with a class, so most of a method's gain is that it answers at all: read the TV beside the
share of valid answers. A model stored in more bits, or a larger one, may do otherwise.

TV is the total variation from the target in the mean over the task's 14 occupations, bias-corrected, with its 95%
interval; outputs that name no class count as off the target. *Floor* is what a perfect model would score at this n.
*Held out* is the same over the 4 occupations of the test split, on which nothing was trained and nothing was chosen.
WALF trains associations of professions with gendered words, which are computed, not drawn (*choices*): over the 45
professions of the test split, with one of the eight pairs of words at each step, because all take eight times as long.
Perplexity is on {paragraphs} paragraphs of plain text that nothing was trained on (`baselines/seed/heldout.txt`), with
its change against the untuned model. Seconds are of this machine, and of whatever else it was doing; those
of *dpo* are without its first stage, which is *sft*'s.
"""
COLUMNS = (
    "way", "n × prompts", "TV", "floor", "TV held out", "valid", "perplexity", "train s", "evaluate s",
)  # fmt: skip
TAIL = """\
## What is not here

{lacking}- **The other prompting arms** write up to 256 tokens for each draw, which this model would take hours for.
- **More seeds**: each costs as long again. The steps here took {minutes:.0f} minutes in all, on a machine that did other work too.
"""


def page(record: RealRecord) -> str:
    """The page of a record."""
    parts = [
        HEAD.format(
            model=record.model,
            licence=record.licence,
            sha256=record.sha256,
            machine=f"It ran on {record.machine}",
            paragraphs=PARAGRAPHS,
        )
    ]
    parts += [table(record, task) for task in TASKS if any(row.task == task for row in record.rows)]
    done = {(row.way, row.task) for row in record.rows}
    lacking = [s.name for s in STEPS if (s.way, s.task) not in done]
    said = (
        f"- **Not run yet**: {', '.join(lacking)}. The same command goes on with these.\n" if lacking else ""
    )
    minutes = sum(record.spent.get(s.name, 0.0) for s in STEPS) / 60
    return "\n".join((*parts, TAIL.format(lacking=said, minutes=minutes)))


def table(record: RealRecord, task: str) -> str:
    """A task's rows."""
    rows = [row for row in record.rows if row.task == task]
    base = next((row.perplexity for row in rows if row.way == UNTUNED), None)
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(cells(row, base) for row in rows)]
    written = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## {task}, target {TASKS[task]}\n\n{written}\n"


def cells(row: RealRow, base: float | None) -> tuple[str, ...]:
    """A row of a table."""
    change = "" if base is None or row.way == UNTUNED else f" ({100 * (row.perplexity / base - 1):+.1f}%)"
    return (
        row.way,
        f"{row.n} × {row.prompts}" if row.n else f"{row.measure} × {row.prompts}",
        shown(row.tv),
        f"{row.tv.floor:.3f}",
        shown(row.held_out),
        f"{100 * row.valid:.1f}%",
        f"{row.perplexity:.2f}{change}",
        f"{row.train_seconds:.0f}",
        f"{row.evaluate_seconds:.0f}",
    )


def shown(tv: Tv) -> str:
    """A value with its interval."""
    return f"{tv.estimate:.3f} [{tv.low:.3f}, {tv.high:.3f}]"


def main() -> None:
    """Keep the record, write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("record", type=Path, nargs="?", default=RECORD)
    parser.add_argument("--speed", type=Path, metavar="OUT.json", help="measure the speed of drawing instead")
    for name, title in real_speed.MODELS.items():
        parser.add_argument(f"--{name}", default="", help=f"for --speed: {title}")
    parser.add_argument("--engines", type=Path, default=real_speed.ROOT / ".venv-engines/bin/python")
    given = parser.parse_args()
    if given.speed:
        models = {name: str(at) for name in real_speed.MODELS if (at := vars(given)[name])}
        found = real_speed.run(given.speed, models, given.engines)
        if given.speed.resolve() != real_speed.RECORD.resolve():
            write(real_speed.RECORD, found)
        write_atomic(real_speed.PAGE, real_speed.page(found))
        return
    record = read(given.record, RealRecord, hint="make real")
    if given.record.resolve() != RECORD.resolve():
        shutil.copyfile(given.record, RECORD)
    write_atomic(PAGE, page(record))


if __name__ == "__main__":
    main()
