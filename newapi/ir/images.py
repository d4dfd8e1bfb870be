"""Pictures to be made, in the canonical form."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Raw, Struct

from newapi.ir.events import Event, Finished, Metered, Started, Whole
from newapi.ir.request import Inline, Media, Url
from newapi.ir.usage import Usage


class ImageRequest(Struct, frozen=True):
    """Pictures to make, or to make out of others.

    Attributes:
        model: Who is asked.
        text: The prompt.
        n: How many.
        size: `1024x1536`, a ratio (`16:9`), or "" when it was not said.
        quality: The entry format's word, "" when it was not said.
        stream: Whether they are wanted as they become ready.
        origin: The entry format.
        extra: The entry format's other top-level fields, written back to that format only.
    """

    model: str
    text: str
    n: int = 1
    size: str = ""
    quality: str = ""
    stream: bool = False
    origin: str = ""
    extra: dict[str, Raw] = {}


class Picture(Struct, frozen=True):
    """One picture: where it is, or base64 of its bytes; and the prompt the model made of the prompt."""

    url: str = ""
    base64: str = ""
    revised_prompt: str = ""


class ImageResponse(Struct, frozen=True):
    """Pictures in order; `created` is Unix seconds, 0 when it was not said."""

    pictures: tuple[Picture, ...]
    usage: Usage | None = None
    created: int = 0


def unfold_pictures(response: ImageResponse) -> Iterator[Event]:
    """Yield the events that tell `response`: each picture in one piece."""
    yield Started("", "", response.created)
    for number, picture in enumerate(response.pictures):
        source = Inline(picture.base64) if picture.base64 else Url(picture.url)
        yield Whole(number, Media("image", "", source, transcript=picture.revised_prompt))
    if response.usage is not None:
        yield Metered(response.usage)
    yield Finished("stop")
