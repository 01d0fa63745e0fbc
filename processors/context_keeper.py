"""Keeps a long conversation within its model's context: summarises the oldest part of it."""

import asyncio

from loguru import logger

from crossfade.conversation.context_budget import (
    HEADING,
    INSTRUCTIONS,
    ContextBudget,
    SummaryWish,
)
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.usage import Usage
from crossfade.errors import CrossfadeError
from crossfade.providers.session import RealtimeSession

from .phrase_rendering import Asides

# A summary that takes longer is given up, and asked for again at the next answer.
_PATIENCE_S = 60.0


class ContextKeeper:
    """Has the session rotate onto a summary of its conversation when that became too long.

    The summary is written by the model itself, beside the conversation. A model that cannot do so
    gets a new session that is told the newest part alone.

    Args:
        session: The session; somebody must iterate it, and let `asides` take its events.
        asides: Asks beside the conversation.
        budget_tokens: What the model's context may hold; None watches nothing.
    """

    def __init__(self, session: RealtimeSession, asides: Asides, budget_tokens: int | None) -> None:
        self._session = session
        self._asides = asides
        self._budget = None if budget_tokens is None else ContextBudget(budget_tokens)
        self._busy = False

    def too_long(self, usage: Usage | None) -> bool:
        """Whether `relieve` is to be called now that a response of the conversation is over.

        Args:
            usage: What the response cost, where the provider tells.
        """
        if self._budget is None or self._busy:
            return False
        conversation = self._session.conversation
        if conversation is None:
            return False
        input_tokens = usage.input_tokens if usage and usage.input_tokens else None
        return self._budget.exceeded(conversation.entries, input_tokens)

    def session_continued(self) -> None:
        """Another session serves: its conversation is as short as it was told."""
        self._busy = False

    async def relieve(self) -> None:
        """Summarise what is to be summarised, and rotate. Never raises but when cancelled."""
        conversation = self._session.conversation
        if self._budget is None or self._busy or conversation is None:
            return
        self._busy = True
        now_s = asyncio.get_running_loop().time()
        try:
            if self._session.profile.out_of_band:
                wish = self._budget.wish(conversation.entries, now_s)
                if wish is None or not await self._summarise(conversation, wish):
                    self._busy = False
                    return
            self._session.rotate()
        except (CrossfadeError, TimeoutError) as error:
            self._busy = False
            logger.warning(f"the conversation could not be summarised: {error!r}")

    async def _summarise(self, conversation: Conversation, wish: SummaryWish) -> bool:
        async with asyncio.timeout(_PATIENCE_S):
            written = await self._asides.write(self._session, INSTRUCTIONS, wish.text)
        if not written.complete or not written.words.strip():
            return False
        now_s = asyncio.get_running_loop().time()
        summary = HEADING + written.words.strip()
        conversation.summarised(summary, wish.upto, now_s)
        return True


__all__ = ["ContextKeeper"]
