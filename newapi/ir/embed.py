"""Embeddings in the canonical form."""

from __future__ import annotations

from msgspec import Raw, Struct

from newapi.ir.usage import Usage


class EmbedRequest(Struct, frozen=True):
    """Texts (or lists of token numbers) to turn into vectors.

    Attributes:
        model: Who is asked.
        inputs: What to embed, in order: texts, or token numbers of the model's own vocabulary.
        dimensions: Length of each vector, None when it was not said.
        encoding: OpenAI's `encoding_format`: float, base64, or "" when it was not said.
        task, title: Gemini's hints: what the vectors are for, and the document's title.
        single: Gemini: whether one vector is asked for (`embedContent`), not a list.
        user: OpenAI's end user.
        origin: The entry format.
        extra: The entry format's other top-level keys, written back to that format only.
    """

    model: str
    inputs: tuple[str | tuple[int, ...], ...]
    dimensions: int | None = None
    encoding: str = ""
    task: str = ""
    title: str = ""
    single: bool = False
    user: str = ""
    origin: str = ""
    extra: dict[str, Raw] = {}

    @property
    def text(self) -> str:
        """Every text of it, a line each: what an estimate counts."""
        return "\n".join(i for i in self.inputs if isinstance(i, str))


class EmbedResponse(Struct, frozen=True):
    """Vectors, in the order of the inputs; base64 (little-endian float32) where the upstream answered so."""

    model: str
    vectors: tuple[tuple[float, ...] | str, ...]
    usage: Usage | None = None
    single: bool = False
