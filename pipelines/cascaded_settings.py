"""What the cascaded pipeline is told on the command line, checked before anything runs."""

import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from .live_options import LiveSettings
from .settings import INSTRUCTIONS, check_content

KEY_VARIABLE = "OPENAI_API_KEY"
_EMBEDDED = "embedded"


class CascadedSettings(BaseModel):
    """Settings of one call through the cascaded pipeline."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stt: str = _EMBEDDED
    """A name, or an import path MODULE:CLASS; so for the others."""
    llm: str | None = None
    """None takes OpenAI where there is a key or an address, else the embedded one."""
    tts: str = _EMBEDDED
    eager: bool = False
    """Whether the model begins when a turn has probably ended; each such guess costs a request."""
    stt_model: str | None = None
    llm_model: str | None = None
    llm_base_url: str | None = None
    """Of a server that speaks OpenAI's Chat Completions, such as http://localhost:11434/v1."""
    tts_model: str | None = None
    voice: str | None = None
    instructions: str = INSTRUCTIONS
    input: Path | None = None
    """A sound file to speak to the agent; None runs the demo's script."""
    live: LiveSettings | None = None
    """The person that talks with the agent instead; None is a scripted caller."""
    output: Path | None = None
    """Where the agent's speech goes as a WAV file, besides the recording."""
    runs: Path = Path("runs")
    """Where the folder of this call is made."""
    flac: bool = False
    """Whether the recording is a FLAC file, a fifth to a half of a WAV file's size."""
    capture: bool = False
    """Whether all that it takes to run a call again is kept: every word and sound of it."""
    content: bool = True
    """Whether the record holds words and sound; else lengths, times and figures alone."""

    @model_validator(mode="after")
    def _keeps_what_it_may(self) -> Self:
        check_content(content=self.content, capture=self.capture, output=self.output)
        return self

    @property
    def chosen_llm(self) -> str:
        """The text model's name."""
        if self.llm is not None:
            return self.llm
        openai = self.llm_base_url is not None or os.environ.get(KEY_VARIABLE)
        return "openai" if openai else _EMBEDDED


__all__ = ["KEY_VARIABLE", "CascadedSettings"]
