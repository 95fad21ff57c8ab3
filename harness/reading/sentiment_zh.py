"""Sentiment of Chinese text by a lexicon of our own: negators, degree, turns, the ending, irony."""

from __future__ import annotations

import functools
import re
from importlib import resources

from harness.reading.text import clean, simplified

NEUTRAL_BAND = 1.0
"""Scores within this of zero are neutral: one weak word without emphasis is not yet a feeling."""

_CLAUSE = re.compile(r"[^,。!?;:\n…~、]+[,。!?;:\n…~、]*")
_NEGATOR = re.compile(
    r"(?:不是很|不太|不怎么|不够|不大|并不|毫不|从不|从未|从没|不再|绝不|没有|没什么|没|不|无|未|别|非|难以|谈不上|算不上|称不上|毫无|少了|缺乏|缺少|失去|不会|不能|无法)(?:让|有|那么|这么|什么|觉得|感到|任何|特别|太|很|多|再|一点|一丝|半点|得|到|是|人|我|会|能|怎么)*$"
)
_STRONG = re.compile(
    r"(?:非常|十分|特别|极其|极为|格外|超级?|太|真|真的|实在|无比|最|相当|尤其|好|多么|完全|彻底|简直|更加?|很是)(?:的|地)?$"
)
_WEAK = re.compile(r"(?:有点儿?|有些|稍微|略微?|一点|还算|比较|稍|多少|还)$")
# 不错, 没关系 and the like are words of their own: the negator in them denies nothing.
_FIXED = re.compile(
    r"不错|不愧|不亦乐乎|不负|没关系|没事|没问题|不客气|不好意思|不得了|了不起|不可多得|不虚此行|无微不至|爱不释手|赞不绝口|忍不住|不禁|不由得|不仅|不但|不只|不光|无论|不管|不过|不知不觉|差不多|好不容易|好容易|无比|没想到|不断|不久|要不|不少|非常|无人能及|"
    r"不敢相信|不可思议|恨不得|恨不能|好像|好几|好多|好久|好在|只好|正好|刚好|最好还是|好的|好吧|好了|好吗|你好|您好|爱好|幸好|还好|问好|美国|美元|美团|美术|美食|美容|赢得|香港|香山|香菇|爽约|困在|可以吗|行吗|可以|行走|行人|行业|行动|银行|旅行|进行|执行|举行|流行|行程|行李|步行|自行|忙着|帮忙|连忙|急忙|慢慢|慢跑|旧金山|"
    r"苦瓜|冷静|冷饮|凉菜|凉皮|通过|差别|差异|出差|时差|相差|差点|邮差|痛快|疼爱|心疼|烂漫|灿烂|输入|输出|运输|传输|死记|死党|破晓|突破|破译|黑暗料理|脏话|牛肉|牛奶|牛排|蜗牛|牛仔|甜点|甜品|香蕉|香水|香菜|妙手|帅哥|酷似|骂不还口|吵醒|打骂|硬件|淡水|淡季|清淡|咸鱼|复杂多样|问题是|提问题|问问题|这个问题|问题?吗|骄傲自满|恶心机|爱情|爱因斯坦|可爱|恋爱|敬爱|爱国"
)
_KEPT = {"不错": 2.0, "不愧": 2.0, "不亦乐乎": 2.0, "不负": 1.5, "没关系": 0.5, "没问题": 0.7, "没事": 0.5, "了不起": 2.5, "不虚此行": 3.0, "无微不至": 2.5, "爱不释手": 3.0, "赞不绝口": 3.0,
         "痛快": 2.0, "疼爱": 1.5, "心疼": -1.0, "灿烂": 2.0, "突破": 1.5, "可爱": 2.0, "幸好": 1.5, "还好": 0.5, "好在": 1.0, "恋爱": 1.0, "烂漫": 1.5, "爽约": -2.0, "无人能及": 2.5, "恨不得": 0.0, "黑暗料理": -2.0, "不可多得": 2.5, "好吧": 0.0, "好的": 0.3, "不好意思": -0.3, "爱情": 0.8, "通过": 0.8}  # fmt: skip
_TURN = re.compile(
    r"^[\W_]*(?:但是?|不过|然而|可是|可|却|只是|只可惜|可惜|没想到|谁知|岂料|不料|幸好|好在|直到|最终|最后|终于|其实|总的来说|总之|总体)"
)
_CONCEDED = re.compile(
    r"^[\W_]*(?:虽然|虽说|虽|尽管|即使|即便|纵然|哪怕|固然|本来|原本|原以为|本以为|以为)|(?:固然|虽)"
)
_HYPOTHETICAL = re.compile(
    r"(?:如果|要是|假如|若是|希望|但愿|祝|祝愿|本该|本来可以|怕|担心|是否|会不会|有没有|能不能)"
)
_IRONY = re.compile(
    r"真是谢谢[你您他]|(?:可)?真(?:是)?(?:会|行|有你的|能耐|有本事|\"?贴心\"?)(?:啊|呢|呀)?[,。!].{0,20}(?:又|还|居然|竟|连|坏|错|丢|等|晚)|(?<![笑乐])呵呵|好一个|真是(?:好|太好|棒|太棒)[^。!?]{0,12}[,。!](?:又|还|居然|竟|连)[^。!?]*"
    r"|(?:太好了|太棒了|好极了|真棒|棒极了|真好|完美|厉害了|多谢|感谢|谢谢)[^。!?]{0,6}[,。!:](?:又|还得|居然|竟然|连|我的|害|让我|把我)[^。!?]{0,30}(?:又|坏|丢|丢了|加班|等|迟|晚|停|崩|掉|重写|重做|罚|堵|没|取消|白|扣|凉|错|死机|漏)"
    r"|(?:好好的?|说好的?|答应得好好的?)[^。!?]{0,16}(?:结果|全|就这么|却|变成|窗外|没了|毁|耗|砸|泡汤|放)"
    r"|感谢[^。!?]{0,20}让我(?:又|再次|成功|体验|白|多)[^。!?]{0,14}(?:等|白|丢|亏|堵|加班|失|饿|冻|气|绝望)|可真?(?:是)?\"[^\"]+\"啊|[好真]\"[^\"]+\"|(?:服务|效率|速度|质量)\"?(?:真|可真|太)(?:好|高|快)\"?[啊呀呢]?,[^。!?]{0,20}(?:才|还没|都没|就坏|半天|小时|天|个月|一年)"
)


@functools.cache
def _lexicon() -> tuple[re.Pattern[str], dict[str, float]]:
    weights: dict[str, float] = {}
    text = resources.files("harness.reading").joinpath("data/sentiment_zh.txt").read_text("utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            weight, *words = line.split()
            for word in words:
                weights.setdefault(simplified(word), float(weight))
    longest_first = sorted({*weights, *_KEPT}, key=len, reverse=True)
    fixed = _FIXED.pattern
    return re.compile(
        "|".join([*longest_first[: _long(longest_first)], fixed, *longest_first[_long(longest_first) :]])
    ), weights | _KEPT


def _long(words: list[str]) -> int:
    """How many words have three characters or more: they go before the fixed expressions, which go before the rest."""
    return sum(len(w) >= 3 for w in words)


def tone(text: str) -> float:
    """The score of a text: its clauses' scores, turned and conceded ones weighed."""
    clauses = _CLAUSE.findall(simplified(clean(text).lower()))
    if _IRONY.search("".join(clauses)):
        return -2.0
    return sum(_turned(clauses), 0.0)


def left_behind(text: str) -> float:
    """The score of a story: the last third weighs most."""
    clauses = _CLAUSE.findall(simplified(clean(text).lower()))
    if _IRONY.search("".join(clauses[-6:])):
        return -2.0
    scores = _turned(clauses)
    n = len(scores)
    return sum((s * 0.5 ** ((n - 1 - i) / max(3.0, n / 4)) for i, s in enumerate(scores)), 0.0)


def label(score: float) -> str:
    """The class of a score."""
    if abs(score) <= NEUTRAL_BAND:
        return "neutral"
    return "positive" if score > 0 else "negative"


def _turned(clauses: list[str]) -> list[float]:
    """Clause scores; what stands before a turn weighs half, what follows it counts in full and half again."""
    scores: list[float] = []
    factor = 1.0
    for clause in clauses:
        if _TURN.match(clause):
            scores = [s * 0.5 for s in scores]
            factor = 1.5
        score = _clause(clause) * factor
        if _CONCEDED.search(clause):
            score *= 0.4
        scores.append(score)
        if re.search(r"[。!?\n]", clause):
            factor = 1.0
    return scores


def _clause(clause: str) -> float:
    pattern, weights = _lexicon()
    total = 0.0
    last = 0
    for word in pattern.finditer(clause):
        weight = weights.get(word.group(), 0.0)
        before = clause[last : word.start()]
        if weight:
            degree = 1.4 if _STRONG.search(before) else 0.6 if _WEAK.search(before) else 1.0
            plain = _WEAK.sub("", _STRONG.sub("", before))
            if word.group() not in _KEPT and _NEGATOR.search(plain):
                # "Not good" is bad; "not bad at all" is only mildly good.
                weight *= -0.8 if weight > 0 else -0.5
            total += weight * degree
            last = word.end()
    if "!" in clause:
        total *= 1.2
    if re.search(r"[?]|吗", clause) or _HYPOTHETICAL.search(clause):
        total *= 0.4
    return total
