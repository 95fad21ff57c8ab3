"""The main person's gender in a Chinese story: 他 and 她 outside speech, and words for women and men."""

from __future__ import annotations

import re

from harness.reading.text import clean, simplified

_QUOTED = re.compile(r"[\"“「『][^\"”」』]*[\"”」』]")
_MALE_KIN = "丈夫|老公|父亲|爸爸|爷爷|外公|姥爷|儿子|哥哥|弟弟|男友|男朋友|老爷爷|大爷|大叔|小男孩|男孩|小伙子?|老头|老先生|叔叔|伯伯|舅舅|孙子"
_FEMALE_KIN = "妻子|老婆|太太|母亲|妈妈|奶奶|外婆|姥姥|女儿|姐姐|妹妹|女友|女朋友|老奶奶|老太太|大妈|阿姨|小女孩|女孩|小姑娘|姑娘|大娘|婆婆|岳母|姑姑|孙女"
_NEUTRAL = (
    "病人|患者|客户|顾客|老板|上司|经理|领导|同事|徒弟|学生|老人|孩子|邻居|朋友|乘客|队长|校长|主任|同学"
)
_WORD = re.compile(
    rf"(?P<m>{_MALE_KIN})|(?P<f>{_FEMALE_KIN})|(?P<n>{_NEUTRAL})|(?P<he>他(?!们))|(?P<she>她(?!们))|(?P<stop>[,。!?;:\n])"
)
_TRADES = "士|性|人|工|警|护士|医生|司机|教师|老师|工程师|电工|焊工|厨师|店主|经理|程序员|记者|律师|会计|演员|主管|员工"
_WOMAN = rf"女(?:{_TRADES})|姑娘|母亲|妈妈|大妈|奶奶|阿姨|大姐|小姐|太太|妇女|女生|女孩|寡妇|大娘"
_MAN = rf"男(?:{_TRADES})|小伙子?|父亲|爸爸|大叔|大爷|爷爷|先生|大哥|汉子|男生|男孩|老汉"
_NOUN = re.compile(rf"(?P<f>{_WOMAN})|(?P<m>{_MAN})")
_SELF = re.compile(
    r"(?:我是|作为|身为)(?:一[个名位])?[^,。]{0,6}(?:(?P<f>女|母亲|妈妈|妻子|姑娘)|(?P<m>男|父亲|爸爸|丈夫|小伙))"
)


def gender_zh(text: str) -> tuple[str, str]:
    """m, f or '' for the main person of a Chinese story, and why."""
    plain = _QUOTED.sub(",", simplified(clean(text)))
    told = _told(plain)
    total = told["m"] + told["f"]
    narrator = len(re.findall(r"我(?!们)", plain))
    if narrator >= 2 * total and narrator > 0:
        found = _SELF.search(plain)
        return (str(found.lastgroup) if found else ""), "told in the first person"
    noun = _NOUN.search(re.split(r"[。!?\n]", plain.strip())[0])
    if noun and not re.search(r"(?:他|她|我|的)$", plain[: plain.find(noun.group())]):
        sex = str(noun.lastgroup)
        if told[sex] >= total / 2:
            return sex, "named by a gendered word"
    if total and max(told.values()) / total >= 0.65:
        return max(told, key=lambda sex: told[sex]), "by pronouns"
    return "", "pronouns of both genders" if total else "no gender told"


def _told(plain: str) -> dict[str, float]:
    """What the pronouns say of the main person: those that may mean somebody met since count for little."""
    told = {"m": 0.0, "f": 0.0}
    met = ""
    opening = True
    for word in _WORD.finditer(plain):
        kind = str(word.lastgroup)
        if kind == "stop":
            opening = True
            continue
        if kind in ("m", "f", "n"):
            # "她的丈夫": the pronoun before a relation is its owner's and has been counted.
            met = kind
        else:
            sex, other = ("m", "f") if kind == "he" else ("f", "m")
            theirs = met == sex or (met == "n" and told[other] > told[sex])
            told[sex] += 0.1 if theirs else 1.0 if opening else 0.6
            if not theirs and met != "n":
                met = met if met == other else ""
        opening = False
    return told
