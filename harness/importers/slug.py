"""Context ids made from titles."""

from __future__ import annotations

import re
import unicodedata


def slug(title: str) -> str:
    """``title`` in lower case, every run of other characters one underscore.

    Accents are dropped first ("Café staff" -> ``cafe_staff``), so that an id stays typable.
    """
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
