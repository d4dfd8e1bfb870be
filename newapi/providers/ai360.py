"""360 AI (360 智脑), OpenAI-compatible. Source: https://ai.360.com/platform/docs/overview"""

from __future__ import annotations

from newapi.providers import _openai as openai
from newapi.providers._compatible import edit
from newapi.providers.contract import openai_compatible

PROVIDER = openai_compatible(
    "ai360",
    title="360 AI (360 智脑)",
    channel_type=19,
    base_url="https://api.360.cn",
    speaks=openai.SPEAKS,
    docs="https://ai.360.com/platform/docs/overview",
    profile=openai.profile,
    edit=edit,
)
