"""LiteLLM, as a client of each of the services that it knows and we stand in for."""

import json
import sys

import litellm

asked = json.load(sys.stdin)
URL, KEY, QUERY, DOCUMENTS = asked["url"], asked["key"], asked["query"], asked["documents"]


def vector(model: str, url: str, text: str, **more: str) -> list[float]:
    answer = litellm.embedding(model=model, input=[text], api_base=url, api_key=KEY, **more)
    return [*answer.data[0]["embedding"]]


def ranks(model: str, url: str, **more: bool) -> list[int]:
    answer = litellm.rerank(model=model, query=QUERY, documents=DOCUMENTS, api_base=url, api_key=KEY, **more)
    return [result["index"] for result in answer.results]


def vectors(tower: str, purpose: str, text: str) -> dict[str, list[float]]:
    return {
        "hosted_vllm": vector(f"hosted_vllm/tiny:{tower}", f"{URL}/v1", text),
        "infinity": vector(f"infinity/tiny:{tower}", URL, text),
        "cohere": vector("cohere/tiny", f"{URL}/v2/embed", text, input_type=f"search_{purpose}"),
        "jina_ai": vector(f"jina_ai/tiny:{tower}", f"{URL}/v1", text),
    }


json.dump(
    {
        "query": vectors("query", "query", QUERY),
        "article": vectors("article", "document", DOCUMENTS[0]),
        "ranks": {
            "hosted_vllm": ranks("hosted_vllm/favours", URL),
            "infinity": ranks("infinity/favours", URL, return_documents=False),
            "cohere": ranks("cohere/favours", URL),
            "jina_ai": ranks("jina_ai/favours", URL),
            "huggingface": ranks("huggingface/favours", URL),
        },
    },
    sys.stdout,
)
