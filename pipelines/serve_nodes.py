"""Whom the calls of a server talk to: its speech nodes, and which of them each call is given."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace

from crossfade.emulators.gemini import GeminiEmulator
from crossfade.errors import SettingsError
from crossfade.offline.recogniser import recogniser_available
from crossfade.offline.synthesiser import synthesiser_available
from crossfade.providers import SessionConfig, connect
from crossfade.providers.continuity.route import Endpoint as RouteEndpoint
from crossfade.providers.gemini_address import DeveloperAPI

from .endpoint import Endpoint, choose_backend, endpoint, fallback_route
from .route_file import Route, read_route
from .routing import CallRequest, Choice, Router
from .serve_settings import ServeSettings
from .settings import CASCADE, node_named
from .spare_services import SpareServices


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedNode:
    """A speech node that calls may have."""

    name: str
    """PROVIDER:MODEL, or `cascade`."""
    endpoint: Endpoint | None = None
    """None is the embedded cascade."""
    route: Sequence[RouteEndpoint] = ()
    """Who takes its session over when the provider fails, in this order."""
    spares: SpareServices | None = None
    """Keeps services of a cascade ready; None has them made when they are wanted."""

    @property
    def sees(self) -> bool:
        """Whether it sees pictures: the embedded rules do not."""
        return self.endpoint is not None

    @property
    def description(self) -> str:
        """One line for the user."""
        if self.endpoint is None:
            return "A cascade of the embedded recogniser, rules and voice."
        return self.endpoint.description


@dataclass(frozen=True, slots=True, kw_only=True)
class CallNodes:
    """The nodes of one call. The first one serves first; the others stand in for it, in order."""

    nodes: tuple[ServedNode, ...]
    choice: Choice | None = None
    """Why this one is the first, where that was chosen by arms."""

    @property
    def first(self) -> ServedNode:
        """Who serves first."""
        return self.nodes[0]

    @property
    def change(self) -> bool:
        """Whether the call is made such that its node can change."""
        return len(self.nodes) > 1 or self.first.endpoint is None

    @property
    def names(self) -> tuple[str, ...]:
        """Of all of them."""
        return tuple(node.name for node in self.nodes)

    def beginning_with(self, name: str) -> "CallNodes":
        """The same, with the one of this name first, if there is one."""
        nodes = tuple(sorted(self.nodes, key=lambda node: node.name != name))
        return CallNodes(nodes=nodes, choice=self.choice)


class ServedNodes:
    """Gives each call its nodes. Make it on the running loop.

    Args:
        offered: Those that every caller may talk to; the first one serves first.
        arms: By which the node is chosen that serves first; None has the first one do so.
        others: Those of the arms that are not offered.

    Raises:
        SettingsError: Two are the same, or there is none.
    """

    def __init__(
        self,
        offered: Sequence[ServedNode],
        *,
        arms: Route | None = None,
        others: Sequence[ServedNode] = (),
    ) -> None:
        names = [node.name for node in offered]
        if twice := {name for name in names if names.count(name) > 1}:
            raise SettingsError(f"the node {', '.join(sorted(twice))} is named twice; name it once")
        self._offered = tuple(offered)
        self._by_name = {node.name: node for node in (*offered, *others)}
        if not self._by_name:
            raise SettingsError("there is no speech node; name one with --node")
        self._router = None
        self._arms = () if arms is None else tuple(arms.arms)
        if arms is not None:
            clock = asyncio.get_running_loop().time
            self._router = Router(arms.arms, clock=clock, experiment=arms.experiment)
        self._rates_hz: dict[str, int] = {}

    @property
    def all(self) -> tuple[ServedNode, ...]:
        """Every node that a call may have."""
        return tuple(self._by_name.values())

    def of_call(self, key: str, *, began_with: str = "") -> CallNodes:
        """The nodes of a call.

        Args:
            key: Whose call it is; by arms, the same key gets the same node.
            began_with: The node of a call that goes on here; no other is chosen for it by arms.

        Raises:
            SettingsError: No arm takes the call.
        """
        if self._router is None:
            return CallNodes(nodes=self._offered)
        arms = (arm for arm in self._arms if node_named(arm.node) == began_with)
        if (arm := next(arms, None)) is not None:
            choice = Choice(arm=arm, reason="the call began with it")
        else:
            choice = self._router.choose(CallRequest(key=key))
        first = self._by_name[node_named(choice.arm.node)]
        others = (node for node in self._offered if node is not first)
        return CallNodes(nodes=(first, *others), choice=choice)

    def went(self, nodes: CallNodes, *, well: bool) -> None:
        """Note how a call went, for those after it."""
        if self._router is None or nodes.choice is None:
            return
        node = nodes.choice.arm.node
        if well:
            self._router.succeeded(node)
        else:
            self._router.failed(node)

    def heard_rate_hz(self, nodes: CallNodes, *, in_rate_hz: int) -> int:
        """The rate of what a caller said that nobody has answered yet, as the call keeps it.

        Args:
            nodes: Of the call.
            in_rate_hz: Of its microphone.
        """
        if nodes.change:
            return in_rate_hz
        first = nodes.first
        if first.name not in self._rates_hz:
            self._rates_hz[first.name] = _session_rate_hz(first)
        return self._rates_hz[first.name]

    def check(self) -> None:
        """Load and build what a first call needs.

        Raises:
            SettingsError: A node cannot be used.
        """
        for node in self.all:
            if node.endpoint is None:
                _check_cascade()
            else:
                _session_rate_hz(node)


def _session_rate_hz(node: ServedNode) -> int:
    found = node.endpoint
    assert found is not None
    session = connect(
        found.spec,
        SessionConfig(),
        base_url=found.base_url,
        api_key=found.api_key,
        route=node.route,
    )
    return session.input_rate_hz


def _check_cascade() -> None:
    if missing := recogniser_available() or synthesiser_available():
        raise SettingsError(f"the node {CASCADE} cannot be used here: {missing}")


@contextlib.asynccontextmanager
async def served_nodes(
    settings: ServeSettings,
    *,
    provider: Endpoint | None = None,
    route: Sequence[RouteEndpoint] | None = None,
    others: Sequence[ServedNode] = (),
) -> AsyncIterator[ServedNodes]:
    """Find the nodes of a server; emulators run in this process for as long as the block does.

    Args:
        settings: The server's.
        provider: Whom the calls talk to; None finds it by the settings.
        route: Who takes a session over when that fails; None finds them by the settings.
        others: Nodes besides.

    Raises:
        SettingsError: One of them cannot be used.
    """
    async with contextlib.AsyncExitStack() as stack:
        arms = None if settings.arms is None else read_route(settings.arms)
        by_arms = [] if arms is None else [node_named(arm.node) for arm in arms.arms]
        offered = list(await _found(stack, settings.nodes, settings))
        if provider is not None or not (offered or by_arms):
            offered.insert(0, await _usual(stack, settings, provider, route))
        offered += others
        if CASCADE in settings.fallbacks:
            offered.append(ServedNode(name=CASCADE))
        known = {node.name for node in offered}
        if settings.over_budget is not None and settings.over_budget not in known:
            raise SettingsError(
                f"there is no node {settings.over_budget} for a call that has cost too much; "
                "name it with --node, too"
            )
        if settings.over_budget is not None and {*known, *by_arms} == {settings.over_budget}:
            raise SettingsError(
                f"every call has {settings.over_budget} from its beginning, so that it cannot go "
                "on with that when it has cost too much; name another node before it with --node"
            )
        rest = [name for name in dict.fromkeys(by_arms) if name not in known]
        unoffered = await _found(stack, rest, settings)
        spares = await stack.enter_async_context(SpareServices())
        yield ServedNodes(
            [_kept_ready(node, spares) for node in offered],
            arms=arms,
            others=[_kept_ready(node, spares) for node in unoffered],
        )


def _kept_ready(node: ServedNode, spares: SpareServices) -> ServedNode:
    """A cascade with services that are ready; another node as it is."""
    return replace(node, spares=spares) if node.endpoint is None else node


async def _usual(
    stack: contextlib.AsyncExitStack,
    settings: ServeSettings,
    provider: Endpoint | None,
    route: Sequence[RouteEndpoint] | None,
) -> ServedNode:
    """The one node of a server that is not told of nodes."""
    if provider is None:
        provider = await stack.enter_async_context(endpoint(settings))
    if route is None:
        specs = [spec for spec in settings.fallbacks if spec != CASCADE]
        others = fallback_route(specs, emulated=provider.emulated)
        route = await stack.enter_async_context(others)
    return ServedNode(name=provider.spec, endpoint=provider, route=route)


async def _found(
    stack: contextlib.AsyncExitStack, names: Iterable[str], settings: ServeSettings
) -> Sequence[ServedNode]:
    return [
        ServedNode(name=name, endpoint=await _endpoint_of(stack, name, settings)) for name in names
    ]


async def _endpoint_of(
    stack: contextlib.AsyncExitStack, name: str, settings: ServeSettings
) -> Endpoint | None:
    """Where a node is: the real one where there is a key, else the built-in emulator."""
    if name == CASCADE:
        return None
    provider, _, model = name.partition(":")
    if provider == "openai":
        chosen = settings.model_copy(update={"model": model})
        return await stack.enter_async_context(endpoint(chosen))
    keys = DeveloperAPI.key_variables
    given = settings.provider is not None or any(os.environ.get(key) for key in keys)
    if settings.provider != "emulator" and given:
        described = f"Talking to Google, model {model}."
        return Endpoint(spec=name, base_url=None, api_key=None, description=described)
    backend, how = choose_backend()
    emulator = await stack.enter_async_context(GeminiEmulator(backend))
    described = f"talking to the built-in emulator of Gemini Live, {how}."
    if settings.provider is None:
        described = f"No {' or '.join(keys)} is set: {described}"
    return Endpoint(
        spec=name,
        base_url=emulator.url,
        api_key="emulated",
        description=described,
        emulated=True,
    )


__all__ = ["CallNodes", "ServedNode", "ServedNodes", "served_nodes"]
