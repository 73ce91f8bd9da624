"""LangChain: OpenAI's embeddings, Cohere's re-ranker."""

import json
import sys

from langchain_cohere import CohereRerank
from langchain_openai import OpenAIEmbeddings

asked = json.load(sys.stdin)
URL, KEY, QUERY, DOCUMENTS = asked["url"], asked["key"], asked["query"], asked["documents"]


def embeddings(model: str) -> OpenAIEmbeddings:
    return OpenAIEmbeddings(model=model, base_url=f"{URL}/v1", api_key=KEY, check_embedding_ctx_length=False)


ranked = CohereRerank(model="favours", base_url=URL, cohere_api_key=KEY, top_n=None).rerank(DOCUMENTS, QUERY)
json.dump(
    {
        "query": {"openai": embeddings("tiny:query").embed_query(QUERY)},
        "article": {"openai": embeddings("tiny:article").embed_documents(DOCUMENTS)[0]},
        "ranks": {"cohere": [one["index"] for one in ranked]},
    },
    sys.stdout,
)
