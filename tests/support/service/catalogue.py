"""Made articles that look like real ones, and a searcher in memory that finds them by the words that they share."""

import operator
import re
from itertools import product

import numpy as np

from schemas.arrays import Vector
from schemas.article import DisplayArticle
from schemas.errors import InputError
from schemas.filters import AnyOf, Condition, Filter, leaves
from schemas.protocols import ArticleKey, ArticleText, Lookup, Match, Query, StoredArticle

COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq}
DIMENSION = 256

STRUCTURED = (
    "BACKGROUND: Statins lower the risk of cardiovascular events, but muscle pain is often given as the "
    "reason for stopping them. Whether the pain is caused by the drug is uncertain in most patients.\n"
    "METHODS: In a series of n-of-1 trials, 200 participants who had stopped a statin because of muscle "
    "symptoms took atorvastatin 20 mg and placebo in six periods of two months, in random order. Symptoms "
    "were rated on a visual analogue scale from 0 to 10.\n"
    "RESULTS: Mean symptom scores were 1.68 under atorvastatin and 1.85 under placebo (difference −0.11, 95% "
    "CI −0.36 to 0.14; p = 0.40). Withdrawals because of intolerable symptoms were 9% and 7%.\n"
    "CONCLUSIONS: Most people who had stopped statins because of muscle pain had no more of it under "
    "atorvastatin than under placebo."
)
PLAIN = (
    "Muscle symptoms are reported by 5 to 29% of those who take statins in clinical practice, and by far fewer in "
    "randomized trials. We review how statin-associated muscle symptoms are defined, and which mechanisms have "
    "been proposed: impaired mitochondrial function, depletion of coenzyme Q10, and variants of SLCO1B1. Most "
    "patients tolerate another statin, or a lower dose. Creatine kinase should be measured before treatment only "
    "where the risk is high."
)
MEN = "Cardiovascular risk fell in men (p < 0.05) & women; the <i>SLCO1B1</i> genotype did not matter."

BY_HAND = [
    DisplayArticle(
        33627334,
        None,
        "Statin treatment and muscle symptoms: series of randomised, placebo controlled n-of-1 trials.",
        STRUCTURED,
        ("Lovelace AK", "Hopper G", "Noether E", "Curie M", "Franklin RE"),
        "BMJ (Clinical research ed.)",
        "2021-02-24",
        2021,
        "10.1136/made.n135",
        publication_types=("Journal Article", "Randomized Controlled Trial"),
        mesh=("Hydroxymethylglutaryl-CoA Reductase Inhibitors", "Myalgia"),
        languages=("eng",),
    ),
    DisplayArticle(
        25694464,
        None,
        "Statin-associated muscle symptoms: impact on statin therapy.",
        PLAIN,
        ("Meitner L", "Hodgkin DC"),
        "European heart journal",
        "2015-05",
        2015,
        "10.1093/made/ehv043",
        publication_types=("Review",),
        mesh=("Myalgia",),
        languages=("eng",),
    ),
    DisplayArticle(
        20000001,
        None,
        "Coenzyme Q10 abolishes muscle pain under statins.",
        "Every patient was cured within a day.",
        ("Nobody N",),
        "Journal of made results",
        "2009",
        2009,
        None,
        retracted=True,
        publication_types=("Journal Article", "Retracted Publication"),
        languages=("eng",),
    ),
    DisplayArticle(
        10000002,
        None,
        "[Muskelschmerzen unter Statinen: was tun?]",
        "",
        ("Arbeitsgruppe Lipide und Muskel der Gesellschaft für Innere Medizin",),
        "Deutsche medizinische Wochenschrift (1946)",
        "1998",
        1998,
        None,
        publication_types=("Journal Article",),
        languages=("ger",),
    ),
    DisplayArticle(
        18650507,
        None,
        'SLCO1B1 variants, <i>"muscle pain"</i> & statins: a genomewide study.',
        MEN,
        ("SEARCH Collaborative Group",),
        "The New England journal of medicine",
        "2008-08-21",
        2008,
        "10.1056/made(sici)<0801>;2-#",
        publication_types=("Journal Article",),
        languages=("eng",),
    ),
]
DRUGS = ("Atorvastatin", "Rosuvastatin", "Simvastatin", "Metformin", "Vitamin D", "Aspirin")
EFFECTS = ("muscle pain", "bone fracture", "type 2 diabetes", "progression of Parkinson’s disease")


def generated() -> list[DisplayArticle]:
    """Return one article for each drug and effect."""
    pairs = enumerate(product(DRUGS, EFFECTS))
    return [
        DisplayArticle(
            30_000_000 + i,
            None,
            f"{drug} and {effect} in older adults: a cohort study.",
            f"{drug} is taken by many older adults. We followed {1200 + 31 * i} of them for {2 + i % 7} years, and "
            f"counted cases of {effect}. The hazard ratio was {0.8 + i / 50:.2f} (95% CI {0.6 + i / 50:.2f} to "
            f"{1.1 + i / 50:.2f}). Confounding by indication cannot be excluded; trials that randomize are needed "
            "before anything is advised. What was taken was read from the records of pharmacies, which may overstate "
            "it.",
            ("Garcia M", "Tanaka K", "Okafor C")[: 1 + i % 3],
            ("Age and ageing", "Drugs & aging", "The Lancet")[i % 3],
            f"{1999 + i}-{1 + i % 12:02}",
            1999 + i,
            f"10.1000/made.{i}",
            publication_types=("Journal Article", "Observational Study"),
            mesh=("Aged", drug),
            languages=("eng",),
        )
        for i, (drug, effect) in pairs
    ]


ARTICLES = [*BY_HAND, *generated()]


def words_of(text: str) -> Vector:
    """Return how often a text has words of each kind, as a vector of length 1."""
    vector = np.zeros(DIMENSION, np.float32)
    for word in re.findall(r"\w{4,}", text.casefold()):
        vector[sum(word.removesuffix("s").encode()) % DIMENSION] += 1
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


class Words:
    """Encodes a text by its words."""

    async def encode(self, texts: list[Query | ArticleText]) -> list[Vector]:
        return [words_of(" ".join(part or "" for part in text)) for text in texts]

    async def count_tokens(self, texts: list[Query | ArticleText]) -> list[int]:
        return [sum(len(part.split()) for part in text if part) for text in texts]


class Catalogue:
    """Finds articles by the inner product of `words_of`."""

    def __init__(self, articles: list[DisplayArticle] = ARTICLES) -> None:
        self._articles = articles
        self._vectors = [words_of(f"{article.title} {article.abstract}") for article in articles]

    async def search(self, lookups: list[Lookup]) -> list[list[Match]]:
        return [self._matches(lookup) for lookup in lookups]

    async def stored(self, keys: list[ArticleKey]) -> list[StoredArticle | None]:
        known = {a.id: StoredArticle(v, a) for a, v in zip(self._articles, self._vectors, strict=True)}
        return [known.get(key.id) for key in keys]

    def _matches(self, lookup: Lookup) -> list[Match]:
        for condition in leaves(lookup.wanted.filters):
            self._check(condition)
        matches = [
            Match(float(lookup.vector @ vector), article, lookup.name in (article.id, article.doi, article.title))
            for article, vector in zip(self._articles, self._vectors, strict=True)
            if all(holds(condition, article) for condition in lookup.wanted.conditions)
        ]
        matches.sort(key=lambda match: (not match.named, -match.score, match.article.pmid))
        return matches[: lookup.k]

    def _check(self, condition: Condition) -> None:
        known = {value for article in self._articles for value in values(condition, article)}
        if condition.field in ("type", "mesh", "language", "journal"):
            for value in condition.values:
                if str(value).casefold() not in known:
                    raise InputError(f"filter: no article has {condition.field} {value!r}; correct it, or leave it out")


def values(condition: Condition, article: DisplayArticle) -> list[int | str]:
    """Return what an article has in the field of a condition."""
    match condition.field:
        case "year":
            return [article.year or 0]
        case "abstract" | "retracted":
            return ["yes" if getattr(article, condition.field) else "no"]
        case "journal":
            return [article.journal.casefold()]
        case "type":
            return [name.casefold() for name in article.publication_types]
        case "mesh":
            return [name.casefold() for name in article.mesh]
        case "language":
            return [*article.languages]
        case "author":
            return [name.casefold() for name in article.authors]
        case "pmid":
            return [article.pmid]
        case "date":
            return [article.publication_date or ""]


def holds(condition: Filter, article: DisplayArticle) -> bool:
    """Say whether a filter holds for an article."""
    if isinstance(condition, AnyOf):
        return any(holds(part, article) for part in condition.any)
    if not isinstance(condition, Condition):
        return all(holds(part, article) for part in condition.all)
    found = values(condition, article)
    if condition.field == "year":
        return COMPARE[condition.op](found[0], condition.value)
    return any(str(value).casefold() in found for value in condition.values) != condition.op.startswith(("!", "not"))
