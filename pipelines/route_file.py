"""Arms of a route as a YAML file.

experiment: summer             # another name deals the callers anew
arms:
  - name: mini
    node: openai:gpt-realtime-2.1-mini
    weight: 3
    usd_per_minute: 0.04
  - name: large
    node: openai:gpt-realtime-2.1
    languages: [en, de-AT]     # without it, all
    modalities: [audio, image] # without it, audio
    urgencies: [normal, high]  # without it, all
"""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crossfade.errors import SettingsError

from .routing import Arm, Modality, Urgency, check_names
from .settings import CASCADE, USUAL_MODELS, node_named

_OF_PYTHON = "moshi"
"""A provider that a call may have from its beginning to its end only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What a file of arms says."""

    arms: tuple[Arm, ...]
    experiment: str = ""


class _Arm(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    node: str = Field(min_length=1)
    weight: float = Field(1.0, ge=0, allow_inf_nan=False)
    languages: frozenset[str] = frozenset()
    modalities: frozenset[Modality] = frozenset({Modality.AUDIO})
    urgencies: frozenset[Urgency] = frozenset(Urgency)
    usd_per_minute: Decimal | None = Field(None, ge=0, allow_inf_nan=False)

    def arm(self) -> Arm:
        return Arm(**{name: getattr(self, name) for name in type(self).model_fields})


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    experiment: str = ""
    arms: list[_Arm] = Field(min_length=1)


def read_route(path: Path) -> Route:
    """Read a file of arms.

    Raises:
        SettingsError: It cannot be read, or an arm of it is wrong.
    """
    try:
        found = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SettingsError(
            f"cannot read the arms {path}: {error.strerror}; name a readable YAML file"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"arms {path}: no valid YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = " → ".join(str(part) for part in first["loc"]) or "the file"
        raise SettingsError(f"arms {path}: {where}: {first['msg']}") from error
    arms = tuple(each.arm() for each in found.arms)
    check_names(arms)
    return Route(arms=arms, experiment=found.experiment)


def check_nodes(route: Route) -> None:
    """See to it that the node of each arm is one that Crossfade itself can make.

    An application may have arms with nodes of its own, which only it knows.

    Raises:
        SettingsError: One is not.
    """
    for arm in route.arms:
        provider, colon, model = arm.node.partition(":")
        if provider == _OF_PYTHON and bool(colon) == bool(model):
            continue
        try:
            node_named(arm.node)
        except SettingsError:
            providers = ", ".join((*USUAL_MODELS, _OF_PYTHON))
            raise SettingsError(
                f"the arm {arm.name} has the node {arm.node!r}, which is not known here; there "
                f"are {CASCADE}, and PROVIDER:MODEL with one of the providers {providers}"
            ) from None


__all__ = ["Route", "check_nodes", "read_route"]
