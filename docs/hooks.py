"""A hook of mkdocs: links from a page to files outside docs/ lead to the repository, or, where it has no address, are plain text."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s:#]+)(#[^)\s]*)?\)")
_KEPT = (".json",)
"""Files in docs/ that are no part of the site."""


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page with such links changed."""
    folder = posixpath.dirname(posixpath.join("docs", page.file.src_uri))

    def changed(match: re.Match[str]) -> str:
        text, link, anchor = match[1], match[2], match[3] or ""
        path = posixpath.normpath(posixpath.join(folder, link))
        if path.startswith("docs/") and not (path.endswith(_KEPT) or link.endswith("/")):
            return match[0]
        return (
            f"[{text}]({config.repo_url.rstrip('/')}/blob/main/{path}{anchor})" if config.repo_url else text
        )

    return _LINK.sub(changed, markdown)
