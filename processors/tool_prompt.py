"""What a model is told about tools beside what the application tells it."""

INSTRUCTION = (
    "Before you call a tool, say in a few words what you are about to do, in the caller's language "
    "and in the same answer. If a tool says that it is still running, go on with the conversation "
    "and never invent its result. Tell a result once, as soon as you have it. If a tool fails, say "
    "so and offer what else you can do."
)


def with_tool_instruction(instructions: str) -> str:
    """The application's instructions, and behind them how to talk while tools run."""
    return f"{instructions}\n\n{INSTRUCTION}" if instructions else INSTRUCTION


__all__ = ["INSTRUCTION", "with_tool_instruction"]
