"""Requests with much in them, one or more for each path of the relay: what is damaged to see what becomes of it."""

from __future__ import annotations

from typing import Any

_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": ["string", "null"], "enum": ["a", None]}, "n": {"anyOf": [{"type": "integer"}]}},
    "required": ["city"],
    "additionalProperties": False,
    "$defs": {"x": {"$ref": "#/$defs/x"}},
}

_CHAT = {
    "model": "m",
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "Be kind", "cache_control": {"type": "ephemeral"}}]},
        {"role": "developer", "content": "x", "name": "d"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PNG}", "detail": "low"}},
                {"type": "image_url", "image_url": "http://127.0.0.1:1/a.png"},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
                {"type": "file", "file": {"file_id": "file-1"}},
                {"type": "video_url", "video_url": {"url": "http://127.0.0.1:1/a.mp4"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "reasoning_content": "hm",
            "reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "x"}],
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"city": "a"}'}},
                {"id": "c2", "type": "custom", "custom": {"name": "sh", "input": "ls"}},
            ],
            "audio": {"id": "audio_1"},
        },
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "sunny"}]},
        {"role": "tool", "tool_call_id": "c2", "content": "ok"},
        {"role": "assistant", "content": "so", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "1"},
        {"role": "user", "content": "and?"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "look", "description": "d", "parameters": _SCHEMA, "strict": True}},
        {"type": "custom", "custom": {"name": "sh", "format": {"type": "grammar", "grammar": {"syntax": "lark"}}}},
    ],
    "tool_choice": {"type": "function", "function": {"name": "look"}},
    "functions": [{"name": "f", "parameters": {}}],
    "function_call": {"name": "f"},
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": _SCHEMA, "strict": True}},
    "stream": False,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
    "temperature": 0.5,
    "top_p": 1,
    "top_k": 3,
    "n": 1,
    "seed": 7,
    "stop": ["END"],
    "max_tokens": 10,
    "max_completion_tokens": 20,
    "frequency_penalty": 0.1,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 2,
    "user": "u",
    "metadata": {"a": "b"},
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "mp3"},
    "prediction": {"type": "content", "content": [{"type": "text", "text": "a"}]},
    "reasoning_effort": "low",
    "reasoning": {"effort": "high", "max_tokens": 2000},
    "thinking": {"type": "enabled", "budget_tokens": 2000},
    "verbosity": "low",
    "service_tier": "auto",
    "store": False,
    "web_search_options": {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"country": "DE"}},
    },
    "extra_body": {"google": {"thinking_config": {"thinking_budget": 5, "include_thoughts": True}}},
    "safety_identifier": "s",
    "prompt_cache_key": "k",
}

_RESPONSES = {
    "model": "m",
    "instructions": "Be kind",
    "input": [
        {"role": "developer", "content": "x"},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What is it?"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{_PNG}", "detail": "auto"},
                {"type": "input_file", "file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"},
                {"type": "input_file", "file_id": "file-1"},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "x",
        },
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [
                {
                    "type": "output_text",
                    "text": "So",
                    "annotations": [
                        {"type": "url_citation", "url": "http://a", "title": "t", "start_index": 0, "end_index": 1}
                    ],
                },
                {"type": "refusal", "refusal": "no"},
            ],
        },
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "look", "arguments": '{"city": "a"}'},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "sunny"}]},
        {"type": "custom_tool_call", "call_id": "c2", "name": "sh", "input": "ls"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "ok"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "item_reference", "id": "x"},
        {"role": "user", "content": "and?"},
    ],
    "tools": [
        {"type": "function", "name": "look", "parameters": _SCHEMA, "strict": True},
        {"type": "web_search", "filters": {"allowed_domains": ["a.de"]}, "user_location": {"type": "approximate"}},
        {"type": "custom", "name": "sh", "format": {"type": "text"}},
        {"type": "mcp", "server_label": "l", "server_url": "http://a", "require_approval": "never"},
        {"type": "file_search", "vector_store_ids": ["v"]},
        {"type": "code_interpreter", "container": {"type": "auto"}},
    ],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "look"}]},
    "text": {"format": {"type": "json_schema", "name": "s", "schema": _SCHEMA}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "max_output_tokens": 10,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "store": False,
    "stream": False,
    "stream_options": {"include_obfuscation": False},
    "temperature": 1,
    "top_p": 0.5,
    "truncation": "auto",
    "metadata": {"a": "b"},
    "prompt": None,
    "user": "u",
    "service_tier": "flex",
}

_MESSAGES = {
    "model": "m",
    "max_tokens": 3000,
    "system": [{"type": "text", "text": "Be kind", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?", "citations": None},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _PNG}},
                {"type": "image", "source": {"type": "url", "url": "http://127.0.0.1:1/a.png"}},
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
                    "title": "t",
                    "context": "c",
                    "citations": {"enabled": True},
                },
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}]}},
                {
                    "type": "search_result",
                    "source": "http://a",
                    "title": "t",
                    "content": [{"type": "text", "text": "a"}],
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "x"},
                {"type": "redacted_thinking", "data": "x"},
                {
                    "type": "text",
                    "text": "So",
                    "citations": [{"type": "char_location", "cited_text": "a", "document_index": 0}],
                },
                {"type": "tool_use", "id": "c1", "name": "look", "input": {"city": "a"}},
                {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "s1",
                    "content": [
                        {"type": "web_search_result", "url": "http://a", "title": "t", "encrypted_content": "x"}
                    ],
                },
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "c1",
                    "is_error": False,
                    "content": [
                        {"type": "text", "text": "sunny"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _PNG}},
                    ],
                },
                {"type": "text", "text": "and?"},
            ],
        },
        {"role": "assistant", "content": "I"},
    ],
    "tools": [
        {"name": "look", "description": "d", "input_schema": _SCHEMA, "cache_control": {"type": "ephemeral"}},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 3, "user_location": {"type": "approximate"}},
        {"type": "bash_20250124", "name": "bash"},
    ],
    "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 2000},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": _SCHEMA}},
    "metadata": {"user_id": "u"},
    "stop_sequences": ["END"],
    "stream": False,
    "temperature": 1,
    "top_p": 0.9,
    "top_k": 3,
    "service_tier": "auto",
    "mcp_servers": [{"type": "url", "url": "http://a", "name": "n"}],
    "container": "x",
}

_GEMINI = {
    "systemInstruction": {"parts": [{"text": "Be kind"}]},
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "What is it?"},
                {"inlineData": {"mimeType": "image/png", "data": _PNG}},
                {"inline_data": {"mime_type": "audio/wav", "data": "AAAA"}},
                {"fileData": {"mimeType": "video/mp4", "fileUri": "http://a"}, "videoMetadata": {"startOffset": "1s"}},
            ],
        },
        {
            "role": "model",
            "parts": [
                {"text": "hm", "thought": True, "thoughtSignature": "AAAA"},
                {"functionCall": {"id": "c1", "name": "look", "args": {"city": "a"}}, "thoughtSignature": "AAAA"},
                {"executableCode": {"language": "PYTHON", "code": "1"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "id": "c1",
                        "name": "look",
                        "response": {"result": "sunny"},
                        "parts": [{"inlineData": {"mimeType": "image/png", "data": _PNG}}],
                    }
                }
            ],
        },
        {"parts": [{"text": "and?"}]},
    ],
    "tools": [
        {
            "functionDeclarations": [
                {
                    "name": "look",
                    "description": "d",
                    "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
                },
                {"name": "b", "parametersJsonSchema": _SCHEMA},
            ]
        },
        {"googleSearch": {}},
        {"codeExecution": {}},
        {"urlContext": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}},
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "generationConfig": {
        "temperature": 1,
        "topP": 0.5,
        "topK": 3,
        "candidateCount": 1,
        "maxOutputTokens": 10,
        "stopSequences": ["END"],
        "seed": 7,
        "presencePenalty": 0.1,
        "responseMimeType": "application/json",
        "responseSchema": {"type": "OBJECT"},
        "responseJsonSchema": _SCHEMA,
        "responseModalities": ["TEXT", "IMAGE"],
        "responseLogprobs": True,
        "logprobs": 2,
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
        "thinkingConfig": {"thinkingBudget": 10, "thinkingLevel": "low", "includeThoughts": True},
        "imageConfig": {"aspectRatio": "1:1"},
    },
    "cachedContent": "c",
}

_EMBEDDED = {
    "model": "models/m",
    "content": {"parts": [{"text": "a"}], "role": "user"},
    "taskType": "RETRIEVAL_QUERY",
    "title": "t",
    "outputDimensionality": 3,
}

BODIES: dict[str, list[dict[str, Any]]] = {
    "/v1/chat/completions": [_CHAT, {"model": "m", "messages": [{"role": "user", "content": "a"}], "stream": True}],
    "/v1/completions": [
        {
            "model": "m",
            "prompt": ["a", "b"],
            "suffix": "c",
            "max_tokens": 3,
            "stream": False,
            "echo": True,
            "logprobs": 1,
            "stop": "END",
            "n": 1,
            "best_of": 1,
            "logit_bias": {"1": 1},
            "stream_options": {"include_usage": True},
        },
        {"model": "m", "prompt": [[1, 2], [3]]},
    ],
    "/v1/responses": [_RESPONSES, {"model": "m", "input": "a", "stream": True}],
    "/v1/responses/compact": [_RESPONSES],
    "/v1/messages": [_MESSAGES],
    "/v1/messages/count_tokens": [_MESSAGES],
    "/v1beta/models/m:generateContent": [_GEMINI],
    "/v1beta/models/m:streamGenerateContent": [_GEMINI],
    "/v1beta/models/m:countTokens": [
        {"contents": _GEMINI["contents"]},
        {"generateContentRequest": {"model": "m", **_GEMINI}},
    ],
    "/v1beta/models/m:embedContent": [_EMBEDDED],
    "/v1beta/models/m:batchEmbedContents": [{"requests": [_EMBEDDED, _EMBEDDED]}],
    "/v1/embeddings": [
        {"model": "m", "input": ["a", "b"], "dimensions": 3, "encoding_format": "base64", "user": "u"},
        {"model": "m", "input": [[1, 2], [3]]},
    ],
    "/v1/images/generations": [
        {
            "model": "m",
            "prompt": "a cat",
            "n": 1,
            "size": "1024x1024",
            "quality": "high",
            "style": "vivid",
            "response_format": "b64_json",
            "background": "transparent",
            "moderation": "low",
            "output_format": "png",
            "output_compression": 50,
            "stream": False,
            "partial_images": 0,
            "user": "u",
        }
    ],
    "/v1/images/edits": [
        {
            "model": "m",
            "prompt": "a cat",
            "image": [f"data:image/png;base64,{_PNG}"],
            "mask": _PNG,
            "n": 1,
            "size": "auto",
        },
        {"model": "m", "prompt": "a", "images": [{"image_url": "http://127.0.0.1:1/a.png"}, {"file_id": "f"}]},
    ],
    "/v1/audio/speech": [
        {
            "model": "m",
            "input": "Hello",
            "voice": "alloy",
            "instructions": "i",
            "response_format": "mp3",
            "speed": 1.0,
            "stream_format": "audio",
        }
    ],
    "/v1/audio/transcriptions": [{"model": "m", "file": "x", "language": "en"}],
    "/v1/audio/translations": [{"model": "m", "file": "x"}],
    "/v1/rerank": [
        {
            "model": "m",
            "query": "q",
            "documents": ["a", {"text": "b", "id": 1}],
            "top_n": 1,
            "return_documents": True,
            "max_chunks_per_doc": 1,
            "rank_fields": ["text"],
        }
    ],
    "/v1/moderations": [
        {
            "model": "m",
            "input": ["a", {"type": "text", "text": "b"}, {"type": "image_url", "image_url": {"url": "http://a"}}],
        }
    ],
}
