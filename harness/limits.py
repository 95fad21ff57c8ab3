"""Limits of what comes from outside: beyond them a file, a template or an answer is refused. docs/security.md has them."""

from __future__ import annotations

TEXT_BYTES = 256 * 2**20
"""Of a text file: JSON, JSON lines, plain text."""
CSV_BYTES = 64 * 2**20
"""Of a CSV file, whose cells take several times as much in memory."""
YAML_BYTES = 16 * 2**20
"""Of a YAML file; many texts belong into JSON lines."""
YAML_NODES = 200_000
"""Keys and values of a YAML file, each alias counted as what it stands for."""
DIGITS = 100
"""Characters of a number."""
JSON_VALUES = 5_000_000
"""Of a JSON or JSON lines file: keys and values."""
LINE_BYTES = 16 * 2**20
"""Of a record of a corpus, unpacked."""
COLUMNS = 1_000
"""Of a CSV file."""
CELLS = 5_000_000
"""Of a CSV file."""
RECORDS, RECORD_BATCH, BATCH_BYTES = 20_000_000, 1_000, 2**28
"""Of a corpus; of those that are read together from Parquet, and what they may take when they are unpacked."""
PARQUET_CELLS = 20_000_000
"""Of a Parquet file."""
PARQUET_BYTES = 2**30
"""Of a Parquet file when it is unpacked."""
CONTEXTS = 20_000
"""Of a task."""
PROMPTS = 100_000
"""Of an evaluation: wordings x contexts."""
TEMPLATE = 1_000_000
"""Characters of a prompt's template."""
RENDERED = 1_000_000
"""Characters of a prompt."""
TEMPLATE_SECONDS = 10.0
"""That a model's chat template may take for one prompt."""
TEMPLATE_BYTES = 512 * 2**20
"""By which a process may grow while it fills a model's chat template."""
BUILD_SECONDS, BUILD_BYTES = 60.0, 2**30
"""That the layers of a model may take, before they have weights."""
HEARD = 20_000
"""Bytes of what a library prints while it reads a model's tokenizer or config."""
PACKED, UNHELD = 8, 2**27
"""Numbers of a model to a byte of its weights, and those beside them that no file holds."""
MOST_TOKENS = 2**31
"""Of one answer; no model writes more."""
ANSWER_BYTES = 64 * 2**20
"""Of one answer of a server, unpacked."""
ARCHIVE_BYTES = 64 * 2**20
"""Of a packed run."""
ARCHIVE_UNPACKED = 512 * 2**20
"""Of all files of a packed run."""
ARCHIVE_ROWS = 1_000_000
"""Of all draws of a packed run: different outputs of a chunk."""
ARCHIVE_FILES = 10_000
"""In a packed run."""
