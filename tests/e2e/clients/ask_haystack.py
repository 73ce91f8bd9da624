"""Haystack: OpenAI's and Jina's embedders, Jina's ranker."""

import json
import sys

from haystack import Document
from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
from haystack.utils import Secret
from haystack_integrations.components.embedders.jina import JinaTextEmbedder
from haystack_integrations.components.rankers.jina import JinaRanker

asked = json.load(sys.stdin)
URL, QUERY, DOCUMENTS = asked["url"], asked["query"], asked["documents"]
KEY = Secret.from_token(asked["key"])

openai = OpenAITextEmbedder(api_key=KEY, api_base_url=f"{URL}/v1", model="tiny:query")
jina = JinaTextEmbedder(api_key=KEY, base_url=f"{URL}/v1/embeddings", model="tiny", task="retrieval.query")
articles = OpenAIDocumentEmbedder(api_key=KEY, api_base_url=f"{URL}/v1", model="tiny:article", progress_bar=False)
ranker = JinaRanker(model="favours", api_key=KEY, base_url=f"{URL}/v1/rerank")
documents = [Document(content=text, meta={"place": place}) for place, text in enumerate(DOCUMENTS)]
ranked = ranker.run(query=QUERY, documents=documents)["documents"]
json.dump(
    {
        "query": {"openai": openai.run(QUERY)["embedding"], "jina": jina.run(QUERY)["embedding"]},
        "article": {"openai": articles.run(documents)["documents"][0].embedding},
        "ranks": {"jina": [document.meta["place"] for document in ranked]},
    },
    sys.stdout,
)
