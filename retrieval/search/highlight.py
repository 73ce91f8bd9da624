"""Where a text has words of a query."""

import re
import unicodedata
from itertools import pairwise

WORD = re.compile(r"\w[\w\u0300-\u036f]*")
LEAST = 3
"""Letters of a word that is marked wherever it stands, unless it has a digit too: p53, D3. A shorter one and a number
are marked only beside the word that they are beside in the query: the 2 of "type 2 diabetes", the D of "vitamin D"."""
COMMON = frozenset(
    WORD.findall("""
    a about after all also among an and any are as at be been between both but by can could did do does during each for
    from had has have how if in into is it its may more most no nor not of on or other our should so some such than
    that the their them then there these they this those through to under use used using versus via vs was we were what
    when where whether which while who why will with within without would
    """)
)
"""Words that are never marked."""
GREEK = str.maketrans(
    {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "κ": "kappa", "λ": "lambda", "ω": "omega"}
)


def highlights(query: str, text: str) -> tuple[tuple[int, int], ...]:
    """Return where the words of a query stand in a text: [first, last + 1], ascending, none over another.

    Case, number, accents and the spelling of Greek letters make no difference: "Sjogren", "Sjögren"; "TNF-α",
    "TNF alpha".
    """
    asked = [_stem(word) for word in WORD.findall(query)]
    wanted = {stem for stem in asked if _tells(stem)}
    beside = {pair for pair in pairwise(asked) if COMMON.isdisjoint(pair)}
    found = [*WORD.finditer(text)]
    stems = [_stem(word[0]) for word in found]
    marked = {i for i, stem in enumerate(stems) if stem in wanted}
    for i, pair in enumerate(pairwise(stems)):
        if pair in beside:
            marked |= {i, i + 1}
    return tuple(found[i].span() for i in sorted(marked))


def _tells(stem: str) -> bool:
    if stem.isdecimal() or stem in COMMON:
        return False
    return len(stem) >= LEAST or any(character.isdecimal() for character in stem)


def _stem(word: str) -> str:
    """Return a word in one form for singular and plural, for comparison only: analysis and analyses are "analyse".

    The S stemmer (Harman, How effective is suffixing?, JASIS 1991), and an e for words that form their plural with it.
    """
    word = word.casefold()
    if not word.isascii():
        word = unicodedata.normalize("NFKD", word).translate(GREEK)
        word = "".join(character for character in word if not unicodedata.combining(character))
    if word in COMMON:
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("sis"):
        return word[:-2] + "e"
    if word.endswith(("us", "ss", "x", "ch", "sh")):
        return word + "e"
    return word[:-1] if word.endswith("s") and len(word) > 2 else word
