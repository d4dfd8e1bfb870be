"""OpenAI's translations of recordings.

Source: https://platform.openai.com/docs/api-reference/audio/createTranslation
"""

from __future__ import annotations

from newapi.formats._media_transcripts import transcripts

FORMAT = transcripts("translations", "translation", "/v1/audio/translations")
