"""OpenSearch: documents, indices, bulk requests and searches."""
