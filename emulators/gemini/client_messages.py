"""The fields of a client's messages.

Fields: https://ai.google.dev/api/live and the published types of google-genai.
"""

from typing import Any

from .proto_json import (
    Parse,
    anything,
    base64,
    boolean,
    enum,
    integer,
    mapping,
    message,
    number,
    repeated,
    struct,
    text,
)


def _schema(path: str, value: Any) -> Any:
    """An OpenAPI schema; schemas lie in schemas."""
    return _SCHEMA(path, value)


def _type(path: str, value: Any) -> str:
    """The service also takes JSON Schema's lower case."""
    names = ("STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")
    known: str = enum("TYPE_UNSPECIFIED", *names)(path, value.upper() if _is_text(value) else value)
    return known


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_SCHEMA = message(
    {
        "type": _type,
        "format": text,
        "title": text,
        "description": text,
        "nullable": boolean,
        "default": anything,
        "example": anything,
        "items": _schema,
        "minItems": integer,
        "maxItems": integer,
        "enum": repeated(text),
        "properties": mapping(_schema),
        "propertyOrdering": repeated(text),
        "required": repeated(text),
        "minProperties": integer,
        "maxProperties": integer,
        "minimum": number,
        "maximum": number,
        "minLength": integer,
        "maxLength": integer,
        "pattern": text,
        "anyOf": repeated(_schema),
    }
)
_BLOB = message({"data": base64, "mimeType": text, "displayName": text})
_FUNCTION_RESPONSE = message(
    {
        "id": text,
        "name": text,
        "response": struct,
        "parts": repeated(struct),
        "scheduling": enum("SCHEDULING_UNSPECIFIED", "SILENT", "WHEN_IDLE", "INTERRUPT"),
        "willContinue": boolean,
    }
)
_PART = message(
    {
        "text": text,
        "inlineData": _BLOB,
        "fileData": struct,
        "thought": boolean,
        "thoughtSignature": base64,
        "functionCall": message({"id": text, "name": text, "args": struct}),
        "functionResponse": _FUNCTION_RESPONSE,
        "executableCode": struct,
        "codeExecutionResult": struct,
        "videoMetadata": struct,
        "mediaResolution": anything,
        "partMetadata": struct,
    }
)
_CONTENT = message({"role": text, "parts": repeated(_PART)})
_TOOLS = repeated(
    message(
        {
            "functionDeclarations": repeated(
                message(
                    {
                        "name": text,
                        "description": text,
                        "parameters": _SCHEMA,
                        "parametersJsonSchema": anything,
                        "response": _SCHEMA,
                        "responseJsonSchema": anything,
                        "behavior": enum("UNSPECIFIED", "BLOCKING", "NON_BLOCKING"),
                    }
                )
            ),
            # What the service runs by itself; this emulator takes it and does not run it.
            "googleSearch": struct,
            "googleSearchRetrieval": struct,
            "googleMaps": struct,
            "urlContext": struct,
            "codeExecution": struct,
            "enterpriseWebSearch": struct,
            "retrieval": struct,
            "fileSearch": struct,
            "computerUse": struct,
        }
    )
)
_MEDIA_RESOLUTION = enum(
    *(f"MEDIA_RESOLUTION_{level}" for level in ("UNSPECIFIED", "LOW", "MEDIUM", "HIGH"))
)
_VOICE = message(
    {"prebuiltVoiceConfig": message({"voiceName": text}), "replicatedVoiceConfig": struct}
)
_GENERATION_CONFIG = message(
    {
        "responseModalities": repeated(
            enum("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO", "VIDEO")
        ),
        "candidateCount": integer,
        "maxOutputTokens": integer,
        "temperature": number,
        "topP": number,
        "topK": number,
        "presencePenalty": number,
        "frequencyPenalty": number,
        "seed": integer,
        "stopSequences": repeated(text),
        "mediaResolution": _MEDIA_RESOLUTION,
        "speechConfig": message(
            {
                "voiceConfig": _VOICE,
                "languageCode": text,
                "multiSpeakerVoiceConfig": struct,
            }
        ),
        "thinkingConfig": message(
            {
                "includeThoughts": boolean,
                "thinkingBudget": integer,
                "thinkingLevel": enum(
                    "THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"
                ),
            }
        ),
        "enableAffectiveDialog": boolean,
        "translationConfig": struct,
    }
)
_REALTIME_INPUT_CONFIG = message(
    {
        "automaticActivityDetection": message(
            {
                "disabled": boolean,
                "startOfSpeechSensitivity": enum(
                    *(f"START_SENSITIVITY_{level}" for level in ("UNSPECIFIED", "HIGH", "LOW"))
                ),
                "endOfSpeechSensitivity": enum(
                    *(f"END_SENSITIVITY_{level}" for level in ("UNSPECIFIED", "HIGH", "LOW"))
                ),
                "prefixPaddingMs": integer,
                "silenceDurationMs": integer,
            }
        ),
        "activityHandling": enum(
            "ACTIVITY_HANDLING_UNSPECIFIED", "START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION"
        ),
        "turnCoverage": enum(
            "TURN_COVERAGE_UNSPECIFIED",
            "TURN_INCLUDES_ONLY_ACTIVITY",
            "TURN_INCLUDES_ALL_INPUT",
            "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO",
        ),
        "interimTranscriptTimestampEnabled": boolean,
    }
)
_TRANSCRIPTION = message(
    {
        "languageCodes": repeated(text),
        "languageAuto": struct,
        "languageHints": struct,
        "customVocabulary": repeated(text),
        "adaptationPhrases": repeated(text),
        "wordTimestamp": boolean,
        "diarization": boolean,
        "mode": text,
    }
)
SETUP: Parse = message(
    {
        "model": text,
        "generationConfig": _GENERATION_CONFIG,
        "systemInstruction": _CONTENT,
        "tools": _TOOLS,
        "realtimeInputConfig": _REALTIME_INPUT_CONFIG,
        "sessionResumption": message({"handle": text, "transparent": boolean}),
        "contextWindowCompression": message(
            {"triggerTokens": integer, "slidingWindow": message({"targetTokens": integer})}
        ),
        "inputAudioTranscription": _TRANSCRIPTION,
        "outputAudioTranscription": _TRANSCRIPTION,
        "proactivity": message({"proactiveAudio": boolean, "proactiveVideo": boolean}),
        "historyConfig": message({"initialHistoryInClientContent": boolean}),
        "explicitVadSignal": boolean,
        "safetySettings": repeated(struct),
        "avatarConfig": struct,
        "labels": mapping(text),
    }
)
CLIENT_MESSAGE: Parse = message(
    {
        "setup": SETUP,
        "clientContent": message({"turns": repeated(_CONTENT), "turnComplete": boolean}),
        "realtimeInput": message(
            {
                "audio": _BLOB,
                "video": _BLOB,
                "text": text,
                "mediaChunks": repeated(_BLOB),
                "activityStart": message({}),
                "activityEnd": message({}),
                "audioStreamEnd": boolean,
            }
        ),
        "toolResponse": message({"functionResponses": repeated(_FUNCTION_RESPONSE)}),
        "contextUpdate": message(
            {"systemInstruction": _CONTENT, "tools": message({"tools": _TOOLS})}
        ),
    }
)
"""Everything that a client may send; exactly one of the fields at a time."""
