"""SubModel, OpenAI-compatible hosting of open models. Source: https://docs.submodel.ai"""

from __future__ import annotations

from newapi.providers import _openai as openai
from newapi.providers._compatible import edit_with_usage
from newapi.providers.contract import openai_compatible

PROVIDER = openai_compatible(
    "submodel",
    title="SubModel",
    channel_type=53,
    base_url="https://llm.submodel.ai",
    speaks=openai.only(),
    docs="https://docs.submodel.ai",
    profile=openai.profile,
    edit=edit_with_usage,
)
