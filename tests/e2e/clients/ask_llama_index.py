"""LlamaIndex: embeddings of a server like OpenAI's and of TEI, TEI's re-ranker."""

import json
import sys

from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference
from llama_index.postprocessor.tei_rerank import TextEmbeddingInference

asked = json.load(sys.stdin)
URL, KEY, QUERY, DOCUMENTS = asked["url"], asked["key"], asked["query"], asked["documents"]


def embeddings(model: str) -> OpenAILikeEmbedding:
    return OpenAILikeEmbedding(model_name=model, api_base=f"{URL}/v1", api_key=KEY)


tei = TextEmbeddingsInference(model_name="tiny", base_url=URL, auth_token=KEY)
reranker = TextEmbeddingInference(base_url=URL, auth_token=f"Bearer {KEY}", top_n=len(DOCUMENTS))
nodes = [NodeWithScore(node=TextNode(text=text, id_=str(i))) for i, text in enumerate(DOCUMENTS)]
ranked = reranker.postprocess_nodes(nodes, query_bundle=QueryBundle(QUERY))
json.dump(
    {
        "query": {"openai_like": embeddings("tiny:query").get_query_embedding(QUERY)},
        "article": {"openai_like": embeddings("tiny:article").get_text_embedding_batch(DOCUMENTS)[0]},
        "of length 1": {"text_embeddings_inference": tei.get_text_embedding_batch(DOCUMENTS)},
        "ranks": {"tei_rerank": [int(one.node.id_) for one in ranked]},
    },
    sys.stdout,
)
