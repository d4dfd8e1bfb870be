"""One API's rows as New API would have them: the same tables, with fewer columns and other numbers of channel types.

Source: the channel types of https://github.com/songquanpeng/one-api (0.6.10), whose numbers never change.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from newapi.base.errors import CallerError
from newapi.store.foreign import Row, json_object

_COMPATIBLE = {
    2: "https://oa.api2d.net",
    4: "https://api.closeai-proxy.xyz",
    5: "https://api.openai-sb.com",
    26: "https://api.baichuan-ai.com",
    29: "https://api.groq.com/openai",
    32: "https://api.stepfun.com",
    39: "https://api.together.xyz",
    41: "https://api.novita.ai/v3/openai",
    48: "https://spark-api-open.xf-yun.com",
    50: "",
}
"""Types that are OpenAI's API at another address, and their addresses."""
_NUMBERS = {
    27: 35,  # MiniMax
    28: 42,  # Mistral
    30: 4,  # Ollama
    34: 49,  # Coze
    35: 34,  # Cohere
    36: 43,  # DeepSeek
    37: 39,  # Cloudflare
    40: 45,  # Doubao: Volcengine
    42: 41,  # Vertex AI
    44: 40,  # SiliconFlow
    45: 48,  # xAI
    46: 56,  # Replicate
    47: 46,  # Baidu v2
    49: 17,  # Ali Bailian
    51: 24,  # Gemini by its OpenAI-compatible address: here by its own
}
"""Types whose number is another one in New API; those that are in no table have the same."""
_UNKNOWN = {38: "DeepL", 43: "Proxy"}
_OTHER = {3: "api_version", 17: "plugin", 37: "user_id", 42: "region"}
"""What New API's column `other` is for, by One API's type, and where One API's `config` has it."""
_MOVED = {47: "https://qianfan.baidubce.com", 49: "https://dashscope.aliyuncs.com", 51: ""}
"""Types whose address is not the one of New API's type: it is that one's own then."""


def is_one_api(tables: Mapping[str, frozenset[str]]) -> bool:
    """Say whether a database is One API's: New API has had these columns from its first version on."""
    return not ({"auto_ban", "tag", "setting"} & tables["channels"] or "model_limits" in tables["tokens"])


def channel(row: Row) -> Row:
    """Return a channel's row as New API would have it.

    Raises:
        CallerError: It is of a type that nothing here serves.
    """
    number = int(row.get("type") or 0)
    if number in _UNKNOWN:
        raise CallerError(f"Channels of type {number} ({_UNKNOWN[number]}) are not served here")
    config = json_object(row.get("config"))
    made = {**row, "type": _NUMBERS.get(number, number), "weight": 0, "auto_ban": 1}
    if number in _COMPATIBLE:
        made |= {"type": 1, "base_url": row.get("base_url") or _COMPATIBLE[number]}
    elif number in _MOVED:
        made["base_url"] = ""
    if other := config.get(_OTHER.get(number, "")):
        made["other"] = other
    if number == 33 and config.get("ak"):  # AWS
        made["key"] = "|".join(str(config.get(part, "")) for part in ("ak", "sk", "region"))
    if number == 42 and config.get("vertex_ai_adc"):
        made["key"] = config["vertex_ai_adc"]
    if prompt := row.get("system_prompt"):
        made["setting"] = msgspec.json.encode({"system_prompt": prompt, "system_prompt_override": True}).decode()
    return made


def token(row: Row) -> Row:
    """Return a token's row as New API would have it."""
    models = str(row.get("models") or "")
    subnets = str(row.get("subnet") or "").replace(",", "\n")
    return {**row, "model_limits_enabled": bool(models), "model_limits": models, "allow_ips": subnets}


def user(row: Row) -> Row:
    """Return a user's row as New API would have it: what One API calls a status of 3 is a deleted one."""
    return {**row, "deleted_at": "deleted"} if row.get("status") == 3 else row


def log(row: Row) -> Row:
    """Return a line of the log as New API would have it; a test of a channel is a system's."""
    kind = 4 if row.get("type") == 5 else row.get("type")
    return {**row, "type": kind, "use_time": (row.get("elapsed_time") or 0) / 1000}
