"""OpenAI's transcriptions of recordings.

Source: https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

from __future__ import annotations

from newapi.formats._media_transcripts import transcripts

FORMAT = transcripts("transcriptions", "transcription", "/v1/audio/transcriptions")
