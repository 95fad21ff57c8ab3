"""Makes the tiny models and held-out text: ``python -m baselines.seed.make [-o DIR] [causal|masked|text|heldout]``."""

from __future__ import annotations

from pathlib import Path

import click

from baselines.seed import corpus, distributions
from baselines.seed.grammar import HERE
from harness.files import write_atomic

PARTS = ("causal", "masked", "text", "heldout")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option(
    "-o", "--out", type=click.Path(file_okay=False, path_type=Path), default=HERE, show_default=True
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--tables", is_flag=True, help="First write the distributions anew from the targets at hand.")
def main(parts: tuple[str, ...], out: Path, seed: int, tables: bool) -> None:
    """Train the tiny models (minutes on two cores) and write the text held out from them."""
    if tables:
        distributions.make_tables()
    out.mkdir(parents=True, exist_ok=True)
    for part in parts or PARTS:
        if part == "causal":
            from baselines.seed import causal

            causal.make(out / "causal", seed)
        elif part == "masked":
            from baselines.seed import masked

            masked.make(out / "masked", seed)
        elif part == "text":
            from baselines.seed import text

            text.make(out / "text", seed)
        else:
            write_atomic(out / "heldout.txt", corpus.held_out("en"))
            write_atomic(out / "heldout_zh.txt", corpus.held_out("zh"))
            write_atomic(out / "retained.txt", corpus.retained())


if __name__ == "__main__":
    main()
