"""Text as the readers see it: one width, one case, one script; structure without markup."""

from __future__ import annotations

import re
import unicodedata

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
LETTER = rf"[^\W\d_{HAN}\u3040-\u30ff]"
"""A letter of a script that puts spaces between words."""

_TRADITIONAL = (
    "這这個个們们來来說说選选擇择認认為为覺觉應应該该會会對对錯错還还與与從从無无沒没讓让難难確确斷断"
    "測测請请問问題题護护師师員员職职業业醫医學学長长當当發发現现實实際际樣样點点後后間间時时過过進进"
    "親亲愛爱歡欢樂乐開开關关緊紧壓压憂忧慮虑憤愤傷伤淚泪滿满驕骄懷怀幫帮謝谢將将轉转變变離离聽听見见"
    "氣气頭头臉脸聲声負负積积極极雖虽總总漸渐終终於于給给經经歷历錢钱賺赚輸输贏赢敗败勝胜優优劣劣"
    "種种類类別别據据統统計计數数處处觀观鬱郁悶闷興兴奮奋惱恼煩烦懼惧驚惊險险災灾難难獎奖勵励讚赞"
    "嘆叹惡恶壞坏髒脏亂乱慘惨淒凄涼凉損损毀毁戰战爭争鬥斗絕绝願愿夢梦圓圆順顺穩稳適适輕轻鬆松"
    "媽妈爺爷孫孙兒儿婦妇嬸婶嬤嬷師师傳传衛卫軍军隊队農农漁渔礦矿車车廠厂電电腦脑機机飛飞貨货運运"
    "築筑設设備备術术藝艺書书記记報报錄录謹谨義义務务責责權权黨党國国華华語语詞词話话讀读寫写畫画"
    "講讲論论議议調调訪访談谈許许評评詢询誰谁諸诸詳详誠诚誤误課课試试該该並并卻却僅仅幾几夠够嗎吗"
    "麼么哪哪裡里裏里週周雙双麗丽彥彦偉伟傑杰強强剛刚龍龙鳳凤鳥鸟馬马魚鱼貓猫豬猪雞鸡獅狮"
    "係系佔占較较屬属於于傾倾項项歲岁帶带場场廳厅辦办勞劳動动務务競竞續续獲获穫获價价購购買买賣卖"
    "貴贵賤贱費费資资質质賞赏賠赔頓顿頻频願愿顯显額额顏颜風风飄飘館馆餓饿飽饱養养鮮鲜鹹咸麵面"
    "雲云霧雾靜静響响頁页順顺須须預预領领顧顾嚴严嚇吓噓嘘團团園园圍围圖图塊块報报墊垫墳坟壯壮壽寿"
    "奪夺妝妆娛娱嬰婴寧宁審审寬宽寶宝尋寻導导屆届層层岡冈島岛幣币帥帅幹干廢废廣广慶庆彈弹徹彻"
    "恆恒悅悦惱恼態态慚惭憐怜懶懒戀恋戲戏拋抛掛挂採采損损搖摇摯挚擁拥擔担擠挤擾扰攜携攝摄"
    "敵敌斂敛暈晕暢畅曉晓條条業业榮荣橋桥檢检欄栏歎叹歸归殘残殺杀殼壳毆殴氈毡溝沟溫温滅灭滾滚"
    "漢汉濕湿灣湾燈灯營营牽牵犧牺狀状獨独瘋疯療疗癒愈盡尽監监盤盘眾众睏困瞭了礙碍禍祸禮礼稅税"
    "築筑簡简糧粮紅红級级細细組组結结絡络統统綠绿維维緒绪線线練练編编縮缩繁繁織织罵骂羨羡習习聯联"
    "職职肅肃膽胆臨临舉举舊旧莊庄著着蒼苍蓋盖藥药蘇苏處处號号蟲虫補补襯衬規规視视覺觉觸触訓训訊讯"
    "託托詐诈診诊註注認认誇夸諒谅謊谎識识警警譽誉豐丰貝贝貌貌貧贫貼贴趕赶趙赵躍跃軟软較较載载輔辅"
    "輛辆輩辈輪轮辭辞邊边遠远遲迟遺遗鄉乡鄰邻醜丑釋释針针鐘钟鋼钢鏡镜門门閃闪閉闭閱阅闊阔陣阵陳陈"
    "陽阳階阶隨随雜杂電电靈灵韓韩頂顶頑顽題题願愿飯饭飲饮餘余騙骗騰腾驗验髮发鬧闹麥麦黃黄齊齐齒齿"
)
_SIMPLIFIED = str.maketrans(dict(zip(_TRADITIONAL[::2], _TRADITIONAL[1::2], strict=True)))
_PUNCTUATION = str.maketrans(
    {
        "‘": "'",
        "’": "'",
        "‛": "'",
        "ʼ": "'",
        "“": '"',
        "”": '"',
        "„": '"',
        "«": '"',
        "»": '"',
        "‐": "-",
        "−": "-",
    }
)
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad\ufe00-\ufe0f\u202a-\u202e]")
_STRUCK = re.compile(r"~~(?=\S).+?~~|<(del|s|strike)>.*?</\1>", re.S | re.I)
_ELEMENT = re.compile(r"</?[A-Za-z][\w:-]*(?:\s[^<>]*)?/?>|<\|[\w ]+\|>")
_EMPHASIS = re.compile(
    r"\*+|`+|(?<!\w)_+|_+(?!\w)|\\(?:boxed|text|mathbf|textbf)?(?=\{)|(?m:^\s{0,3}#{1,6}\s)"
)


def clean(text: str) -> str:
    """One Unicode form, straight quotes, no invisible characters; case is kept."""
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_PUNCTUATION)


def simplified(text: str) -> str:
    """Traditional Chinese characters as simplified ones, one for one."""
    return text.translate(_SIMPLIFIED)


def fold(text: str) -> str:
    """``clean`` without markup, emphasis or struck-out words, in lower case and simplified characters."""
    # Before the widths are made one: a full-width "～～" is an ornament.
    text = clean(_STRUCK.sub(" ", text))
    text = _EMPHASIS.sub("", _ELEMENT.sub(" ", text))
    return simplified(text.lower()).replace("--", "—")


def is_chinese(text: str) -> bool:
    """True when a text holds Han characters and they outweigh its other words."""
    han = len(re.findall(rf"[{HAN}]", text))
    return han > 0 and han >= len(re.findall(rf"{LETTER}+", text))


def vocabulary(words: str) -> frozenset[str]:
    """A set of words written as one text."""
    return frozenset(words.split())
