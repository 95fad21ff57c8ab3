"""Makes context ids of titles."""

from __future__ import annotations

import re
import unicodedata


def slug(title: str) -> str:
    """``title`` in lower case, every run of other characters than letters and digits one underscore.

    Accents are dropped first ("Café staff" -> ``cafe_staff``), so that an id stays typable; letters of other
    scripts are kept.
    """
    parts = unicodedata.normalize("NFKD", title)
    plain = "".join(c for c in parts if not (unicodedata.combining(c) and c < "\u0370"))
    return re.sub(r"[\W_]+", "_", unicodedata.normalize("NFC", plain).lower()).strip("_")
