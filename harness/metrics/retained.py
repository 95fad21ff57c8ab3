"""Metrics of how well a model predicts text: perplexity and bits per byte of plain text, bits of people's replies."""

from __future__ import annotations

import math

from harness.metrics.base import OfModel, Surprise, Words


def perplexity(surprise: Surprise) -> float:
    """``exp`` of the mean surprise of a token in nats; 1 to inf, comparable only between models of one tokenizer."""
    return math.exp(surprise.nats / surprise.tokens)


def bits_per_byte(surprise: Surprise) -> float:
    """Surprise in bits over the text's UTF-8 bytes; 0 to inf, comparable between tokenizers."""
    return surprise.nats / math.log(2) / surprise.size


PERPLEXITY = OfModel(
    key="perplexity",
    title=Words("Perplexity", "困惑度"),
    under=Words("held-out text", "留出文本"),
    about=Words(
        "How surprised the model is by a token of plain text; comparable only between models of one tokenizer.",
        "模型对普通文本中一个词元的意外程度；只有分词器相同的模型才可比较。",
    ),
    better="lower",
    formula="exp of the mean of -ln p(token)",
    values="1 to inf",
    compute=perplexity,
)
BITS_PER_BYTE = OfModel(
    key="bits_per_byte",
    title=Words("Bits per byte", "每字节比特"),
    under=Words("held-out text", "留出文本"),
    about=Words(
        "The same surprise in bits over the bytes of the text; comparable between tokenizers.",
        "同一意外程度，以比特计并除以文本字节数；不同分词器之间可以比较。",
    ),
    better="lower",
    formula="sum of -log2 p(token) over the text's bytes",
    compute=bits_per_byte,
)
REPLY_BITS = OfModel(
    key="reply_bits",
    title=Words("Bits of people’s replies", "人类回复的比特"),
    under=Words("per byte, held-out people", "每字节，留出的人类回复"),
    about=Words(
        "How surprised the model is by what a person replied to the same prompt, end of turn included: no draw is used. "
        "The differences of two models are differences of their KL from people.",
        "模型对人在同一提示下所作回复（含回合结束）的意外程度，不用任何采样。两个模型之差即它们与人类的 KL 之差。",
    ),
    better="lower",
    formula="sum of -log2 p(token of people's replies) over their bytes",
    needs="people",
    compute=bits_per_byte,
)
