"""Features of Chinese replies, by character."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.natural.text import TakenApart

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_SENTENCE = re.compile(r"[^。！？!?…\n]+[。！？!?…]*")
_CLAUSE = re.compile(r"[^，。！？；：、,.!?;:…\s]+")
_KINDS = {
    "structural_particle": "的|地|得",
    "aspect_particle": "了|着|过",
    "question_particle": "吗|呢|么",
    "modal_particle": "吧|啊|呀|嘛|哦|哈|啦|嗯|呗",
    "first_person": "我|咱",
    "second_person": "你|您",
    "third_person": "他|她|它",
    "negation": "不|没|别|未|无",
    "question_word": "什么|怎么|哪|谁|为什么|多少|几",
    "polite": "请|谢|抱歉|对不起|麻烦|不好意思|您好",
    "modal": "可以|能|会|要|想|应该|必须|可能",
    "conjunction": "和|与|而|但|因为|所以|如果|虽然|或|并",
    "adverb": "很|非常|太|最|也|都|还|就|才|挺",
    "copula": "是|有|在",
    "measure": "个|部|位|家|种|次|条|元|分钟",
}
_PATTERNS = {name: re.compile(words) for name, words in _KINDS.items()}


def sentences(text: str) -> list[str]:
    """Sentences by their marks and line ends."""
    return [s.strip() for s in _SENTENCE.findall(text) if re.search(r"\w", s)]


def features(text: TakenApart) -> dict[str, float]:
    """Counts of kinds of characters and words, and their ratios to all characters."""
    whole = text.whole
    han = len(_HAN.findall(whole))
    n = max(han, 1)
    counts = {name: len(pattern.findall(whole)) for name, pattern in _PATTERNS.items()}
    clauses = [len(c) for c in _CLAUSE.findall(whole)] or [0]
    latin = sum(c.isascii() and c.isalpha() for c in whole)
    pairs = {whole[i : i + 2] for i in range(len(whole) - 1)}
    return {
        "han_char_count": han,
        "latin_char_count": latin,
        "clause_count": len(clauses),
        "enumeration_comma_count": whole.count("、"),
        "title_mark_count": whole.count("《"),
        **{f"{name}_count": count for name, count in counts.items()},
        "han_char_ratio": han / max(len(whole), 1),
        "latin_char_ratio": latin / max(len(whole), 1),
        "avg_clause_length": sum(clauses) / len(clauses),
        "max_clause_length": max(clauses),
        "distinct_char_pairs": len(pairs) / max(len(whole) - 1, 1),
        **{f"{name}_ratio": count / n for name, count in counts.items()},
    }
