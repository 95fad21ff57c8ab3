"""``distalign env``: prints versions, paths and settings."""

from __future__ import annotations

import click

from harness.cli.echo import echo


@click.command()
def command() -> None:
    """Print versions, paths and settings: the block an issue report needs."""
    import os
    import platform

    from harness import __version__
    from harness.runs.identity import git_state, versions
    from harness.tasks.catalog import folders

    rows = {
        "distalign": __version__,
        "platform": platform.platform(),
        "cpus": str(os.cpu_count()),
        **versions(),
    }
    rows["tasks"] = os.pathsep.join(str(p) for p in folders("tasks"))
    rows["targets"] = os.pathsep.join(str(p) for p in folders("targets"))
    rows["offline"] = os.environ.get("HF_HUB_OFFLINE", "0")
    state = git_state()
    rows["git"] = f"{state.sha}{' (dirty)' if state.dirty else ''}" if state.sha else "none"
    for name, value in rows.items():
        echo(f"{name:12} {value}")
