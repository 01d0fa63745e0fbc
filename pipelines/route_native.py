"""The arm and the budget of a call that `crossfade native` makes."""

from crossfade.errors import SettingsError
from crossfade.observability.cost_meter import Budget, OnBudget

from .route_file import read_route
from .routing import CallRequest, Choice, choose
from .settings import NativeSettings

_PROVIDER = "openai"


def routed(settings: NativeSettings) -> tuple[NativeSettings, Choice | None]:
    """The settings with the model of the caller's arm, where there is a file of arms.

    Raises:
        SettingsError: The file cannot be read, or the arm's node is none of OpenAI's models.
    """
    if settings.arms is None:
        return settings, None
    found = read_route(settings.arms)
    choice = choose(found.arms, CallRequest(key=settings.caller), experiment=found.experiment)
    provider, _, model = choice.arm.node.partition(":")
    if provider != _PROVIDER or not model:
        raise SettingsError(
            f"the arm {choice.arm.name} has the node {choice.arm.node}, but this command speaks "
            "with OpenAI's models alone (openai:MODEL); `crossfade serve --arms` and your own "
            "program can route others"
        )
    return settings.model_copy(update={"model": model}), choice


def budgets_of(settings: NativeSettings) -> tuple[Budget, ...]:
    """What the call may cost."""
    if settings.budget_usd is None:
        return ()
    return (Budget(usd=settings.budget_usd, then=OnBudget.END),)


__all__ = ["budgets_of", "routed"]
