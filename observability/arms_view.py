"""Arms side by side for the terminal. Pure."""

from collections.abc import Iterator

from rich.table import Table

from .arms import METRICS, ArmReport, Comparison, Figure, Metric


def arms_table(report: ArmReport) -> Table:
    """What the arms came to, each figure with the interval that holds it with 95 % confidence."""
    table = Table(title="Arms", title_justify="left", box=None)
    table.add_column("", style="bold", no_wrap=True)
    for arm, calls in report.calls.items():
        table.add_column(f"{arm}\n{calls} call{'' if calls == 1 else 's'}", justify="right")
    for metric in METRICS:
        figures = report.figures[metric.name]
        told = [_told(metric, figures.get(arm), calls) for arm, calls in report.calls.items()]
        table.add_row(f"{metric.name}, {metric.unit}", *told)
    return table


def findings(report: ArmReport) -> Iterator[str]:
    """In words, what differs and what was not found to."""
    for comparison in sorted(report.comparisons, key=lambda each: not each.found):
        yield _found(comparison) if comparison.found else _not_found(comparison)


def _found(comparison: Comparison) -> str:
    metric, apart = comparison.metric, comparison.difference
    higher = "higher" if apart.absolute > 0 else "lower"
    percent = "" if comparison.percent is None else f"{abs(comparison.percent):.1f} % "
    return (
        f"{metric.name}: {comparison.arm} is {percent}{higher} than {comparison.base} "
        f"({_span(metric, comparison)}; p = {comparison.p:.4f})"
    )


def _not_found(comparison: Comparison) -> str:
    return (
        f"{comparison.metric.name}: no difference found between {comparison.arm} and "
        f"{comparison.base} ({_span(comparison.metric, comparison)}; p = {comparison.p:.2f})"
    )


def _span(metric: Metric, comparison: Comparison) -> str:
    apart = comparison.difference
    low, high = _number(metric, apart.interval.low), _number(metric, apart.interval.high)
    return f"by {_number(metric, apart.absolute)} {metric.unit}, {low} to {high}"


def _told(metric: Metric, figure: Figure | None, calls: int) -> str:
    if figure is None:
        return "unknown"
    low, high = (_number(metric, end) for end in (figure.interval.low, figure.interval.high))
    of = "" if figure.calls == calls else f"\nof {figure.calls} calls"
    return f"{_number(metric, figure.value)} ({low} to {high}){of}"


def _number(metric: Metric, value: float) -> str:
    match metric.unit:
        case "ms":
            return f"{value:.0f}"
        case "%":
            return f"{100 * value:.1f}"
        case "a turn":
            return f"{value:.3f}"
    return f"{value:.4f}"


__all__ = ["arms_table", "findings"]
