"""What the page shows (actors/web/), in every state that it can be in."""

import re
from typing import Any
from urllib.parse import quote

from actors.service.search_service import SearchService
from actors.web.page.page_address import LAST_PAGE
from schemas.article import DisplayArticle
from tests.support.service.catalogue import ARTICLES, BY_HAND, Catalogue
from tests.support.service.page_reader import follow, page, service
from tests.support.service.seams import Favours, Gone


def one(**fields: Any) -> SearchService:
    """Return a service over one article."""
    return service(Catalogue([BY_HAND[0]._replace(**fields)]))


def test_the_page_begins_with_a_form() -> None:
    start = page()
    assert start.status == 200
    assert start.text("//title") == "pubray: search PubMed by meaning"
    assert start.values("//form[@role='search']/@action") == ["./"]
    assert start.elements("//input[@name='q'][@autofocus]")
    assert "6 articles" in start.text("//footer")
    assert start.links("API") == ["openapi.json"]


def test_a_search_shows_articles() -> None:
    found = page(q="statins and muscle pain")
    assert (found.status, len(found.titles)) == (200, 10)
    assert found.text("//title") == "statins and muscle pain – pubray"
    assert found.text("//h1") == "Results for statins and muscle pain"
    assert found.values("//ol/li/@value") == [str(rank) for rank in range(1, 11)]
    assert found.values("//input[@name='q']/@value") == ["statins and muscle pain"]
    assert found.values("//link[@rel='canonical']/@href") == ["./?q=statins+and+muscle+pain"]


def test_an_article_is_shown_with_its_record() -> None:
    shown = page(one(), q="statins")
    assert shown.links(BY_HAND[0].title) == ["https://pubmed.ncbi.nlm.nih.gov/33627334/"]
    assert shown.text("//p[@class='source']") == (
        "Lovelace AK, Hopper G, Noether E, et al. BMJ (Clinical research ed.) 24 February 2021"
    )
    assert shown.values("//time/@datetime")[0] == "2021-02-24"
    assert shown.links("doi:10.1136/made.n135") == ["https://doi.org/10.1136/made.n135"]
    assert shown.links("Similar articles") == ["./?similar=33627334"]
    assert shown.texts("//article/p/b") == ["BACKGROUND:"]
    assert shown.texts("//details[@class='rest']//b") == ["METHODS:", "RESULTS:", "CONCLUSIONS:"]
    assert "Randomized Controlled Trial" in shown.text("//article//dl")


def test_what_an_article_lacks_is_left_out() -> None:
    bare = DisplayArticle(7, "doc/a&b", "", "")
    shown = page(service(Catalogue([bare])), q="statins")
    assert shown.titles == ["No title"]
    assert shown.text("//p[@class='source']") == ""
    assert shown.texts("//article/p[@class='none']") == ["No abstract."]
    assert [a.get("href") for a in shown.elements("//ol//a")] == ["./?similar=doc%2Fa%26b"]


def test_words_of_the_query_are_marked() -> None:
    shown = page(one(), q="muscle pain")
    assert shown.texts("//h2//mark") == ["muscle"]
    assert shown.texts("//article/p/mark") == ["muscle", "pain", "pain"]


def test_a_retracted_article_says_so() -> None:
    assert not any("Retracted" in title for title in page(q="statins").titles)
    assert [t for t in page(q="statins", retracted="1").titles if "Retracted" in t] == [
        "Retracted Coenzyme Q10 abolishes muscle pain under statins."
    ]


MARKUP = '<script>alert("1")</script> & "quotes" \'</title>'


def test_text_is_never_markup() -> None:
    evil = one(title=MARKUP, abstract=f"statin {MARKUP}", journal=MARKUP, authors=(MARKUP,), doi=f"10.1/{MARKUP}")
    query = {"q": f"statin {MARKUP}"}
    for parameters in (query, {"similar": "33627334"}, {"q": "x", "type": MARKUP}, {"similar": MARKUP}):
        shown = page(evil, **parameters)
        assert len(shown.elements("//script")) == 1  # the page's own
        assert all(script.get("src") for script in shown.elements("//script"))
        assert "<script>alert" not in shown.answer.text
    shown = page(evil, q=f"statin {MARKUP}")
    assert shown.titles == [MARKUP]
    assert shown.text("//article/p[2]") == f"statin {MARKUP}"
    assert shown.text("//cite") == MARKUP
    assert shown.values("//input[@name='q']/@value") == [f"statin {MARKUP}"]
    assert shown.links(f"doi:10.1/{MARKUP}") == [f"https://doi.org/{quote(f'10.1/{MARKUP}')}"]
    assert '<script>alert("1")</script> & "quotes"' in page(evil, similar=MARKUP).text("//div[@role='alert']")


def test_markup_within_a_marked_title_is_text_too() -> None:
    assert '"muscle pain"' in page(one(title=BY_HAND[4].title), q='"muscle pain"').titles[0]
    shown = page(service(Catalogue([BY_HAND[4]])), q="<i> SLCO1B1")
    assert shown.elements("//h2//i | //article//p//i") == []
    assert shown.text("//article/p[2]") == BY_HAND[4].abstract


def test_the_form_keeps_what_was_filtered_by() -> None:
    filters = {"from": "2015", "to": "2021", "type": ["Review", "Randomized Controlled Trial"], "abstract": "yes"}
    found = page(q="statins", retracted="1", rerank="0", **filters)
    assert len(found.titles) == 2
    assert found.text("//details[@class='filters']/summary") == (
        "Filters: from 2015 · to 2021 · Review or Randomized Controlled Trial · with an abstract · "
        "retracted articles too · without re-ranking"
    )
    assert found.values("//input[@name='from' or @name='to']/@value") == ["2015", "2021"]
    assert found.values("//input[@name='type']/@value") == ["Review", "Randomized Controlled Trial", ""]
    assert found.values("//option[@selected]/@value") == ["yes"]
    assert found.values("//input[@checked]/@name") == ["retracted", "rerank"]
    assert found.links("Clear all filters") == ["./?q=statins"]


def test_every_field_has_a_label_of_its_own() -> None:
    found = page(q="statins", type=["Review", "Letter"])
    ids = found.values("//@id")
    assert len(ids) == len(set(ids))
    labelled, within_labels = found.values("//label/@for"), found.elements("//label/*")
    for field in found.elements("//form//input[not(@type='hidden')] | //select"):
        assert field.get("id") in labelled or field in within_labels or field.get("aria-label")
    for reference in found.values("//@aria-describedby | //@aria-labelledby | //input/@list"):
        assert reference in ids


def test_pages_lead_to_one_another() -> None:
    first = page(q="muscle pain", type="Observational Study")
    assert first.links("Previous") == []
    second = follow(first.links("Next")[0])
    assert second.values("//ol/li/@value")[0] == "11"
    assert second.text("//title") == "muscle pain, page 2 – pubray"
    last = follow(second.links("Next")[0])
    assert (len(last.titles), last.links("Next")) == (4, [])
    assert len({*first.titles, *second.titles, *last.titles}) == 24
    assert follow(last.links("Previous")[0]).titles == second.titles
    assert follow(second.links("Previous")[0]).titles == first.titles


def test_a_page_that_is_full_and_last_has_no_next() -> None:
    assert page(service(Catalogue(ARTICLES[-10:])), q="muscle").links("Next") == []
    assert page(service(Catalogue(ARTICLES[-11:])), q="muscle").links("Next") == ["./?q=muscle&page=2"]


def test_there_is_no_page_beyond_the_last() -> None:
    many = service(Catalogue([BY_HAND[0]._replace(pmid=i) for i in range(1, 1100)]))
    for parameters in ({"q": "statins"}, {"similar": "5"}):
        last = page(many, page=LAST_PAGE, **parameters)
        assert (len(last.titles), last.links("Next")) == (10, [])


def test_similar_articles_are_shown_without_the_article_itself() -> None:
    found = page(similar="33627334")
    assert found.status == 200
    assert found.text("//title").startswith("Similar to Statin treatment")
    assert found.links(BY_HAND[0].title) == ["https://pubmed.ncbi.nlm.nih.gov/33627334/"]
    assert BY_HAND[0].title not in found.titles
    assert BY_HAND[1].title in found.titles
    assert found.values("//input[@name='similar']/@value") == ["33627334"]
    assert follow(found.links("Next")[0]).values("//ol/li/@value")[0] == "11"


def test_similar_articles_are_filtered() -> None:
    assert page(similar="33627334", type="Review").titles == [BY_HAND[1].title]


def test_an_article_that_the_query_names_says_so() -> None:
    found = page(q="25694464")
    assert found.titles[0] == BY_HAND[1].title
    assert "Named by the query" in found.text("//li[1]")
    assert "Named by the query" not in found.text("//li[2]")


def test_how_articles_were_found_is_told() -> None:
    reranked = page(service(reranker=Favours({18650507: 9.0, 33627334: -1.5})), q="statins and muscle pain")
    assert "re-ranked by favours" in reranked.text("//details[@id='how']")
    assert "9, score of the re-ranker (comparable between queries)" in reranked.text("//li[1]//dl")
    assert "Re-ranker has not seen it" in reranked.text("//li[6]//dl").replace("Re-rankerhas", "Re-ranker has")
    how = page(q="statins").text("//details[@id='how']")
    assert "as retrieved" in how
    assert "v1" in how
    assert re.search(r"Searching\s?[0-9.]+ ms", how)


def test_a_search_without_reranking_can_be_had() -> None:
    plain = page(service(reranker=Favours({18650507: 9.0})), q="statins and muscle pain", rerank="0")
    assert plain.titles == page(q="statins and muscle pain").titles


def test_it_is_told_that_and_why_hits_are_not_reranked() -> None:
    degraded = page(service(reranker=Gone()), q="statins")
    assert degraded.status == 200
    assert "not re-ranked because the reranker does not answer" in degraded.text("//details[@id='how']")
    assert "in the order of retrieval" in degraded.text("//p[@class='notice']")


def test_no_hits_are_met_with_advice() -> None:
    empty = page(q="statins", **{"from": "2090"})
    assert (empty.status, empty.titles, empty.text("//h1")) == (200, [], "No article found")
    assert len(follow(empty.links("Search without filters")[0]).titles) == 10
    assert empty.links("Include retracted articles") == ["./?q=statins&from=2090&retracted=1"]
    beyond = page(q="statins", page="9")
    assert "There is no page 9" in beyond.text("//main")
    assert len(follow(beyond.links("Go to the first page")[0]).titles) == 10
    assert page(service(Catalogue([])), q="statins").text("//h1") == "No article found"


def test_wrong_values_are_named_beside_their_fields() -> None:
    wrong = page(q="statins", abstract="maybe", page="0", **{"from": "last year"})
    assert wrong.status == 422
    assert wrong.text("//title") == "Error: This cannot be searched for – pubray"
    assert wrong.values("//div[@role='alert']//a/@href") == ["#from", "#abstract"]
    assert "page takes a whole number" in wrong.text("//div[@role='alert']")
    assert wrong.values("//input[@name='from']/@aria-describedby") == ["from-wrong"]
    assert wrong.text("//p[@id='from-wrong']") == "year takes a whole number up to 9999"
    assert wrong.values("//input[@name='from']/@value") == ["last year"]
    assert wrong.values("//details[@class='filters']/@open")


def test_a_term_that_no_article_has_is_named() -> None:
    wrong = page(q="statins", type="Reviewe")
    assert wrong.status == 422
    assert "no article has type 'Reviewe'" in wrong.text("//div[@role='alert']")
    assert wrong.links("Search without filters") == ["./?q=statins"]
