"""Korean particles by the sound of the word before them: "가중치는", "라벨은"."""

from __future__ import annotations

import re

CHOICES = {
    "은(는)": ("은", "는"),
    "이(가)": ("이", "가"),
    "을(를)": ("을", "를"),
    "과(와)": ("과", "와"),
    "(으)로": ("으로", "로"),
    "(이)라": ("이라", "라"),
    "(이)나": ("이나", "나"),
    "(이)며": ("이며", "며"),
    "(이)었": ("이었", "였"),
}
"""How a text spells a particle whose word isn't known yet, to what it becomes behind a consonant
and behind a vowel.
"""
PARTICLE = re.compile("|".join(map(re.escape, CHOICES)))
DIGITS = {"0": "ㅇ", "1": "ㄹ", "3": "ㅁ", "6": "ㄱ", "7": "ㄹ", "8": "ㄹ"}
"""What a digit's name ends in: 영, 일, 삼, 육, 칠, 팔; the others end in a vowel."""
LETTERS = {"L": "ㄹ", "M": "ㅁ", "N": "ㄴ", "R": "ㄹ"}
"""The same of letters, as words without a vowel, such as mlp, are read: 엘, 엠, 엔, 알."""
WORDS = (
    (r"^parquet", ""),  # 파케이
    (r"(n|ne|ng)", "ㄴ"),
    (r"(m|me|mb)", "ㅁ"),
    (r"(l|le)", "ㄹ"),
    (r"(p|k|c)", "ㅂ"),
    (r"(?<!gh)(?<=[aeiou])t", "ㅅ"),
)
"""The same of English words as Koreans write them: 베이스라인, 놈, 레이블, 스텝, 드롭아웃; of all
others, such as 배치, 노이즈 or 시드, it is a vowel.
"""


def fitted(text: str) -> str:
    """Return a Korean text with the particles that fit the words before them.

    >>> fitted("드롭아웃은(는) L2과(와) 함께 seed(으)로")
    '드롭아웃은 L2와 함께 seed로'
    """
    parts: list[str] = []
    end = 0
    for match in PARTICLE.finditer(text):
        parts.append(text[end : match.start()])
        consonant, vowel = CHOICES[match[0]]
        closing = ending("".join(parts))
        liquid = closing == "ㄹ" and match[0] == "(으)로"
        parts.append(consonant if closing and not liquid else vowel)
        end = match.end()
    return "".join([*parts, text[end:]])


def ending(text: str) -> str:
    """Return the consonant that the last word of a text ends in as it is read, "" for a vowel.

    What stands in brackets behind a word is not read with it, nor are quotation marks.
    """
    text = re.sub(r"(?<=\S)\s*\([^()]*\)$", "", text).rstrip("'\"`’”*)]} ")
    text = re.sub("%p$", "%", text)  # 퍼센트포인트
    last = text[-1:]
    if "가" <= last <= "힣":
        code = (ord(last) - ord("가")) % 28
        return "" if code == 0 else "ㄹ" if code == 8 else "ㄱ"
    if last.isdigit():
        return DIGITS.get(last, "")
    word = re.search(r"[A-Za-z]*$", text)
    if not word or not word[0]:
        return ""
    if word[0].isupper() or not re.search("[aeiouy]", word[0].lower()):
        return LETTERS.get(last.upper(), "")
    endings = (sound for spelt, sound in WORDS if re.search(f"{spelt}$", word[0].lower()))
    return next(endings, "")
