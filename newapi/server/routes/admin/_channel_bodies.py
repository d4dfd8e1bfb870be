"""The bodies of `/api/channel/*` for the OpenAPI document. The handlers read them field by field, as New API does."""

from __future__ import annotations

from typing import Literal, Required, TypedDict


class Row(TypedDict, total=False):
    """What may be said of a channel; New API keeps lists as text with commas, and JSON as text."""

    name: str
    type: int
    openai_organization: str | None
    test_model: str | None
    base_url: str | None
    other: str
    models: str
    group: str
    weight: int | None
    priority: int | None
    auto_ban: int | None
    model_mapping: str | None
    status_code_mapping: str | None
    param_override: str | None
    header_override: str | None
    setting: str | None
    settings: str
    tag: str | None
    remark: str | None
    status: int


class NewRow(Row):
    """A channel that is to be made."""

    key: str


class NewChannel(TypedDict, total=False):
    """One channel, or one for each line of its key."""

    channel: Required[NewRow]
    mode: Literal["single", "batch", "multi_to_single"]
    multi_key_mode: Literal["random", "polling"]
    batch_add_set_key_prefix_2_name: bool


class ChangedChannel(Row, total=False):
    """What is to be different; what is left out stays."""

    id: Required[int]
    key: str
    key_mode: str
    multi_key_mode: Literal["random", "polling"]


class Upstream(TypedDict, total=False):
    """An upstream that no channel has yet."""

    type: int
    base_url: str
    key: Required[str]


class Ids(TypedDict):
    """Some channels."""

    ids: list[int]


class Tagged(Ids, total=False):
    """Some channels, and their tag; none takes it away."""

    tag: str | None


class Status(TypedDict):
    """1: enabled, 2: disabled."""

    status: Literal[1, 2]


class Switched(Ids, Status):
    """Some channels, and what they become."""


class Tag(TypedDict):
    """A tag."""

    tag: str


class ChangedTag(Tag, total=False):
    """What is to be different with all channels that have the tag."""

    new_tag: str | None
    models: str | None
    groups: str | None
    priority: int | None
    weight: int | None
    model_mapping: str | None
    param_override: str | None
    header_override: str | None


class Keys(TypedDict, total=False):
    """What to do with the keys of a channel that has several."""

    channel_id: Required[int]
    action: Required[
        Literal[
            "get_key_status",
            "disable_key",
            "enable_key",
            "delete_key",
            "disable_all_keys",
            "enable_all_keys",
            "delete_disabled_keys",
        ]
    ]
    key_index: int
    page: int
    page_size: int
    status: int
