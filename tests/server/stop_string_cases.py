"""100 answers and the stop strings that are hardest to find in them."""

from __future__ import annotations

from dataclasses import dataclass

LONG = "0123456789abcdef" * 64
"""1,024 characters, the longest that a stop string may have."""

RUN = "a" * 1023

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
FLAG = "\U0001f1e8\U0001f1f3"
THUMB = "\U0001f44d\U0001f3fd"


@dataclass(frozen=True, slots=True)
class StopCase:
    """An answer's text, up to four stop strings, and how many tokens are safe from them."""

    text: str
    stop: tuple[str, ...]
    min_tokens: int = 0


def expected(case: StopCase, num_safe: int = 0) -> str:
    """What is left of the text, found the slow way.

    num_safe: so many characters at the head in which no match may end. Of those that end first, the longest counts.
    """
    for end in range(num_safe + 1, len(case.text) + 1):
        sizes = [len(stop) for stop in case.stop if case.text[:end].endswith(stop)]
        if sizes:
            return case.text[: end - max(sizes)]
    return case.text


OVERLAPPING_THEMSELVES = [
    StopCase("aaaaaab rest", ("aaab",)),
    StopCase("aaab", ("aaab",)),
    StopCase("aaaaaa", ("aaab",)),
    StopCase("xaaab aaab", ("aab",)),
    StopCase("abababac", ("ababac",)),
    StopCase("abcabcabd!", ("abcabd",)),
    StopCase("aabaabaaab", ("aabaaab",)),
    StopCase("EEEEND", ("EEND",)),
    StopCase("ENENEND.", ("END",)),
    StopCase("----- -----", ("---",)),
    StopCase("\n\n\n\nQ: next", ("\n\nQ",)),
    StopCase("......", ("....",)),
    StopCase("abaababaabaab", ("abaabaab",)),
    StopCase("mississippi", ("issip",)),
]

OVERLAPPING_EACH_OTHER = [
    StopCase("one two three", ("two", "two three")),
    StopCase("one two three", ("two three", "two")),
    StopCase("abcd", ("bc", "abcd")),
    StopCase("abcd", ("abcd", "cd")),
    StopCase("abcde", ("bcde", "abcdx", "cde")),
    StopCase("xabcy", ("abcd", "bcy")),
    StopCase("xabcz", ("abcd", "bcy")),
    StopCase("abab", ("aba", "bab", "abab")),
    StopCase("aaaa", ("aa", "aaa", "aaaa", "a")),
    StopCase("baaaa", ("aaaaa", "aaaac")),
    StopCase("STOP HERE", ("STOP", "S", "ST", "STO")),
    StopCase("User: a\nUser: b", ("\nUser:", "User: b", "\nU", "r: b")),
    StopCase("abcabcabc", ("cab", "bca", "abcabcabc")),
    StopCase("wxyz", ("wxyzz", "xyzz", "yzz", "zz")),
    StopCase("prefix", ("prefixed", "prefixes", "pre-", "pr_")),
    StopCase("no, nor none", ("none", "nor ", "not")),
]

AT_THE_EDGES = [
    StopCase("END", ("END",)),
    StopCase("END and more", ("END",)),
    StopCase("and more END", ("END",)),
    StopCase("and more EN", ("END",)),
    StopCase("E", ("END",)),
    StopCase("a", ("a",)),
    StopCase("aa", ("a",)),
    StopCase(" leading", (" ",)),
    StopCase("trailing ", (" ",)),
    StopCase("trailing\n", ("\n",)),
    StopCase("\nleading", ("\n",)),
    StopCase("The whole answer, no more.", ("The whole answer, no more.",)),
    StopCase("The whole answer, no more.", ("The whole answer, no more. ",)),
    StopCase("The whole answer, no more.", ("The whole answer, no more",)),
    StopCase("held at the end\n\n", ("\n\nQ",)),
    StopCase("held at the end <", ("<|user|>",)),
    StopCase("turn<|user|>next", ("<|user|>",)),
    StopCase("special </s> spelled", ("</s>",)),
]

WHITE_SPACE = [
    StopCase("one\ntwo", ("\n",)),
    StopCase("one\n\ntwo", ("\n\n",)),
    StopCase("one\ntwo\n\nthree", ("\n\n",)),
    StopCase("one\r\ntwo", ("\n",)),
    StopCase("one\r\ntwo", ("\r\n",)),
    StopCase("one\r two", ("\r\n",)),
    StopCase("one \n two", (" \n ",)),
    StopCase("tab\there", ("\t",)),
    StopCase("two  spaces", ("  ",)),
    StopCase("a\u00a0b", (" ",)),
    StopCase("a\u3000b", ("\u3000",)),
    StopCase("zero\u200bwidth", ("\u200b",)),
    StopCase("null\x00byte", ("\x00",)),
]

BEYOND_ASCII = [
    StopCase("fine \U0001f642 really", ("\U0001f642",)),
    StopCase("\U0001f642", ("\U0001f642",)),
    StopCase("\U0001f642\U0001f643", ("\U0001f643",)),
    StopCase("\U0001f642\U0001f642\U0001f643", ("\U0001f642\U0001f643",)),
    StopCase("\U0001f641\U0001f640", ("\U0001f642",)),
    StopCase(f"a {FAMILY} walks", (FAMILY,)),
    StopCase(f"a {FAMILY} walks", ("\u200d\U0001f469",)),
    StopCase(f"a {FAMILY} walks", ("\U0001f467",)),
    StopCase(f"{FLAG}{FLAG}", ("\U0001f1f3\U0001f1e8",)),
    StopCase(f"ok {THUMB} ok", ("\U0001f3fd",)),
    StopCase("\u533b\u5b66\u5f71\u50cf:\u672a\u89c1\u660e\u663e\u5f02\u5e38\u3002\u5b8c", ("\u3002",)),
    StopCase("\u533b\u5b66\u5f71\u50cf", ("\u5b66\u5f71\u7247", "\u50cf")),
    StopCase("\u533b\u5b66\u5f71\u50cf", ("\u533b\u5b66\u5f71\u50cf",)),
    StopCase("\u535c\u535d\u535e", ("\u535d\u535e",)),
    StopCase("\u5e7d\u9f98\U00020000\u9f98", ("\U00020000",)),
    StopCase("\u0648\u0631\u0645 \u062d\u0645\u064a\u062f", (" \u062d",)),
    StopCase("\u0e19\u0e49\u0e33\u0e19\u0e49", ("\u0e49\u0e33",)),
    StopCase("\u0915\u094d\u0937\u0915", ("\u094d\u0937",)),
    StopCase("a\ufffdb", ("\ufffd",)),
    StopCase("\U0001f642\n", ("\n",)),
    StopCase("\U0001f642\n\U0001f642", ("\n\U0001f642",)),
]

LOOK_ALIKES = [
    StopCase("caf\u00e9 cafe\u0301", ("cafe\u0301",)),
    StopCase("cafe\u0301 caf\u00e9", ("caf\u00e9",)),
    StopCase("\u212b \u00c5 A\u030a", ("\u00c5",)),
    StopCase("\uff21 A", ("A",)),
    StopCase("\ufb01ne fine", ("fi",)),
    StopCase("\u0415ND END", ("END",)),
    StopCase("\uac00 \u1100\u1161", ("\u1100\u1161",)),
    StopCase("stra\u00dfe strasse", ("strasse",)),
    StopCase("end End END", ("END",)),
]

LONG_ONES = [
    StopCase(f"x{LONG}y", (LONG,)),
    StopCase(LONG, (LONG,)),
    StopCase(LONG[:-1], (LONG,)),
    StopCase(LONG[:512] + LONG, (LONG,)),
    StopCase("a" * 1100 + "b", (RUN + "b",)),
    StopCase("a" * 1100, (RUN + "b", "a" * 1024)),
]

SAFE_AT_FIRST = [
    StopCase("END END END", ("END",), min_tokens=3),
    StopCase("a\nb\nc\nd", ("\n",), min_tokens=2),
    StopCase("a\nb\nc\nd", ("\n",), min_tokens=4),
    StopCase("\U0001f642\U0001f642\U0001f642", ("\U0001f642",), min_tokens=3),
    StopCase("\U0001f642\U0001f642\U0001f642", ("\U0001f642",), min_tokens=4),
    StopCase("\U0001f642\U0001f642\U0001f642", ("\U0001f642\U0001f642",), min_tokens=5),
    StopCase("aaaaaa", ("aa",), min_tokens=1),
    StopCase("The stop is last.", (".",), min_tokens=12),
    StopCase("nothing stops this", ("s",), min_tokens=100),
    StopCase("\u533b\n\u533b\n", ("\n",), min_tokens=2),
]

CASES = [
    *OVERLAPPING_THEMSELVES,
    *OVERLAPPING_EACH_OTHER,
    *AT_THE_EDGES,
    *WHITE_SPACE,
    *BEYOND_ASCII,
    *LOOK_ALIKES,
    *LONG_ONES,
    *SAFE_AT_FIRST,
]
