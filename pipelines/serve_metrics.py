"""The metrics of all workers of a server as one text for Prometheus. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+.*)")
_SUFFIXES = ("_bucket", "_count", "_sum", "_total", "_created")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A figure of a process that is measured now."""

    name: str
    help: str
    value: float


def gauges_text(gauges: Sequence[Gauge]) -> str:
    """Figures in Prometheus's words."""
    return "".join(
        f"# HELP {each.name} {each.help}\n# TYPE {each.name} gauge\n{each.name} {each.value:g}\n"
        for each in gauges
    )


def merged(texts: Mapping[int, str]) -> str:
    """The metrics of several workers, each sample with its worker; families are kept together.

    Args:
        texts: Of each worker, as `prometheus_client.generate_latest` writes them.
    """
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for worker, text in texts.items():
        for line in text.splitlines():
            if line.startswith("#"):
                words = line.split(" ", 3)
                if len(words) < 3:
                    continue
                head = heads.setdefault(words[2], [])
                if not any(each.startswith(f"# {words[1]} ") for each in head):
                    head.append(line)
            elif (found := _SAMPLE.fullmatch(line)) is not None:
                name, labels, value = found.groups()
                told = f'{labels},worker="{worker}"' if labels else f'worker="{worker}"'
                family = _family(name, heads)
                samples.setdefault(family, []).append(f"{name}{{{told}}} {value}")
    families = dict.fromkeys((*heads, *samples))
    lines = [line for each in families for line in (*heads.get(each, ()), *samples.get(each, ()))]
    return "".join(f"{line}\n" for line in lines)


def _family(name: str, known: Mapping[str, object]) -> str:
    if name in known:
        return name
    stems = [name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)]
    return next((stem for stem in stems if stem in known), name)


__all__ = ["Gauge", "gauges_text", "merged"]
