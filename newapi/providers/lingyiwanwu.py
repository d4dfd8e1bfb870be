"""01.AI (零一万物), OpenAI-compatible. Source: https://platform.lingyiwanwu.com/docs/api-reference"""

from __future__ import annotations

from newapi.providers import _openai as openai
from newapi.providers._compatible import edit
from newapi.providers.contract import openai_compatible

PROVIDER = openai_compatible(
    "lingyiwanwu",
    title="01.AI (零一万物)",
    channel_type=31,
    base_url="https://api.lingyiwanwu.com",
    speaks=openai.SPEAKS,
    docs="https://platform.lingyiwanwu.com/docs/api-reference",
    profile=openai.profile,
    edit=edit,
)
