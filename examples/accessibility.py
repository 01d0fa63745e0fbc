"""An assistant for who cannot see the screen: it is shown pictures of it, tells what is there, and
reads on when asked.

    python -m crossfade.examples.accessibility [PICTURE.png ...]

Each picture is a page of the screen; without any, two are drawn. A caller reads lines to it. Talks
to OpenAI if OPENAI_API_KEY is set, else to the built-in emulator.
"""

import struct
import sys
import zlib
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

from crossfade.examples.rehearsal import show
from crossfade.frames.control import Frame, UserStartedSpeakingFrame
from crossfade.frames.images import UserImageFrame
from crossfade.observability.call import CallRecord
from crossfade.pipelines.assembly import Call
from crossfade.pipelines.endpoint import Endpoint
from crossfade.pipelines.native_call import native_call
from crossfade.processors.base import FrameDirection, Processor
from crossfade.processors.tools import Tool, tool
from crossfade.providers import SessionConfig
from crossfade.transports.scripted_caller import ScriptedCaller

INSTRUCTIONS = (
    "You are the eyes of somebody who cannot see the screen. You are shown pictures of it. Say "
    "first what kind of page it is, then what matters on it, from top to bottom; read text as it "
    "stands. Two or three sentences at a time. Never guess at what you do not see. When asked to "
    "read on, turn the page by your tool."
)


class Screen(Processor):
    """Shows the agent the page that is on the screen: the first as soon as the user speaks.

    Stands before what the user says is filed (`entry`), so that pictures are in the conversation.

    Args:
        pages: Pictures as PNG files.
    """

    hears = (UserStartedSpeakingFrame,)

    def __init__(self, pages: Sequence[bytes]) -> None:
        super().__init__()
        self._pages = list(pages)
        self._shown = 0

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, UserStartedSpeakingFrame) and not self._shown:
            await self._show_next()
        await self.push_frame(frame, direction)

    @property
    def read_on(self) -> Tool:
        """Turns the page."""

        @tool(acknowledge=None)
        async def read_on() -> str:
            """Turn to the next page of the screen, and be shown it."""
            if self._shown == len(self._pages):
                return "This was the last page."
            # The model has the picture before this result, and so before it speaks.
            await self._show_next()
            return f"You are shown page {self._shown} of {len(self._pages)}. Tell what is there."

        return read_on

    async def _show_next(self) -> None:
        picture = UserImageFrame(data=self._pages[self._shown], media_type="image/png")
        self._shown += 1
        await self.push_frame(picture)


def png(width: int, height: int, colour: Callable[[int, int], tuple[int, int, int]]) -> bytes:
    """A picture as a PNG file; `colour` gives the pixel at x, y. https://www.w3.org/TR/png/"""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = (
        b"\0" + bytes(part for x in range(width) for part in colour(x, y)) for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(rows))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def drawn(heights: Sequence[int]) -> bytes:
    """A chart of blue columns on white, each so many percent high."""
    wide = 160 // len(heights)

    def colour(x: int, y: int) -> tuple[int, int, int]:
        inside = wide // 4 <= x % wide < wide * 3 // 4 and y >= 100 - heights[x // wide]
        return (30, 60, 200) if inside else (255, 255, 255)

    return png(wide * len(heights), 100, colour)


def make(
    caller: ScriptedCaller, record: CallRecord, provider: Endpoint, *, screen: Screen
) -> AbstractAsyncContextManager[Call]:
    return native_call(
        provider.spec,
        transport=caller,
        record=record,
        config=SessionConfig(instructions=INSTRUCTIONS),
        tools=[screen.read_on],
        base_url=provider.base_url,
        api_key=provider.api_key,
        entry=[screen],
    )


PAGES = [drawn([30, 60, 90]), drawn([80, 20])]
LINES = ["What is on my screen?", "Please read on.", "And what comes then?"]
SCENARIO = f"""
turns:
  - on: speech
    hear: {LINES[0]}
    say: A chart of three blue columns, each higher than the one before. I can read on.
  - {{on: speech, hear: {LINES[1]}, call: [{{name: read_on}}]}}
  - {{on: tool_results, say: "Another chart, of two columns. The first is four times as high."}}
  - {{on: speech, hear: "{LINES[2]}", call: [{{name: read_on}}]}}
  - {{on: tool_results, say: That was the last page.}}
"""


if __name__ == "__main__":
    screen = Screen([Path(name).read_bytes() for name in sys.argv[1:]] or PAGES)
    show(partial(make, screen=screen), lines=LINES, scenario=SCENARIO)
