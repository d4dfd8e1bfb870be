"""Xinference, a server for open models. Source: https://inference.readthedocs.io/en/latest/reference/index.html"""

from __future__ import annotations

from newapi.providers import _openai as openai
from newapi.providers._compatible import edit
from newapi.providers.contract import openai_compatible

PROVIDER = openai_compatible(
    "xinference",
    title="Xinference",
    channel_type=47,
    base_url="",
    speaks=openai.SPEAKS,
    docs="https://inference.readthedocs.io/en/latest/reference/index.html",
    profile=openai.profile,
    edit=edit,
)
