"""Documents put in the order of how well they answer a question, in the canonical form."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from newapi.ir.usage import Usage


class RerankRequest(Struct, frozen=True):
    """A question, and the documents to order.

    Attributes:
        model: Who is asked.
        query: The question.
        documents: Texts, or objects as the caller wrote them.
        top_n: How many are wanted, None for all.
        return_documents: Whether results repeat their documents, None when it was not said.
        origin: The entry format.
        extra: The entry format's other top-level fields, written back to that format only.
    """

    model: str
    query: str
    documents: tuple[Any, ...]
    top_n: int | None = None
    return_documents: bool | None = None
    origin: str = ""
    extra: dict[str, Raw] = {}

    @property
    def text(self) -> str:
        """Documents and question, for counting."""
        return "\n".join((*map(document_text, self.documents), self.query))


class RerankResult(Struct, frozen=True):
    """One document: its place in the request, and its score; `document` is JSON as the upstream wrote it, or None."""

    index: int
    score: float
    document: Any = None


class RerankResponse(Struct, frozen=True):
    """Results, best first."""

    results: tuple[RerankResult, ...]
    usage: Usage | None = None


def document_text(document: Any) -> str:
    """Return a document's text: itself, its field `text`, or all of it as JSON."""
    if isinstance(document, str):
        return document
    text = cast("dict[str, Any]", document).get("text") if isinstance(document, dict) else None
    return text if isinstance(text, str) else msgspec.json.encode(document).decode()
