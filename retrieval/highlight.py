"""Where a text has words of a query."""

import re

WORD = re.compile(r"\w+")
LEAST = 3
"""Letters of a word that is marked at least, unless it has a digit: not "of" or "in", but "p53" and "D3"."""
COMMON = frozenset(["and", "are", "can", "does", "for", "from", "has", "have", "how", "not", "the", "this", "was"])


def highlights(query: str, text: str) -> tuple[tuple[int, int], ...]:
    """Return where the words of a query stand in a text, in any case and number: [first, last + 1], ascending."""
    wanted = {_stem(word) for word in WORD.findall(query) if _tells(word)}
    return tuple(found.span() for found in WORD.finditer(text) if _stem(found[0]) in wanted)


def _tells(word: str) -> bool:
    return any(c.isdigit() for c in word) or (len(word) >= LEAST and word.casefold() not in COMMON)


def _stem(word: str) -> str:
    """Return a word without its plural ending (the S stemmer; Harman, How effective is suffixing?, JASIS 1991)."""
    word = word.casefold()
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")):
        return word[:-1]
    return word
