"""`ecg-stream profile gpu`: every GPU backend, against its goals."""

from typing import Any

from engine.commands.options import JsonFile
from streamer.console.output import check_writable, out, progress, say, write_json


def gpu(json_file: JsonFile = None) -> None:
    """Measure all GPU backends on the GPU that is here, against their goals."""
    check_writable(json_file)
    from engine.lab.profile.gpu_check import check_gpu

    with progress() as show:
        figures = check_gpu(show)
    libraries = ", ".join(
        f"{name} {found or 'not installed'}" for name, found in figures["libraries"].items()
    )
    out.print(
        f"{figures['date']}: {figures['gpu']} (compute capability {figures['compute_capability']}), torch "
        f"{figures['torch']}, {libraries}; U-Net of {figures['parameters']:,} parameters, one "
        f"window of {figures['window']} samples, host to host",
        soft_wrap=True,
    )
    _show_backends(figures["backends"])
    steps = figures["steps"]
    out.print(
        f"{steps['network']} of {steps['parameters']:,} parameters, which keeps state, one hop of 40 ms:",
        soft_wrap=True,
    )
    _show_backends(steps["backends"])
    for name, goal in figures["goals"].items():
        reached = "not measured" if goal["reached"] is None else f"{goal['reached']:.4g} by {goal['by']}"
        out.print(f"{'met' if goal['met'] else 'MISSED'}: {name} {goal['goal']:g}: {reached}")
    write_json(figures, json_file)


def _show_backends(backends: dict[str, dict[str, Any]]) -> None:
    from rich.table import Table

    from engine.lab.profile.gpu_check import most_streams

    table = Table("µs", "back to back p50", "p99", "paced p99", "with heartbeat p99", "after idle", "streams")
    for name, each in backends.items():
        if "refused" in each:
            table.add_row(name, "–")
            continue
        table.add_row(
            name,
            *(f"{each['back_to_back_us'][percentile]:.0f}" for percentile in ("p50", "p99")),
            *(f"{each[pace]['p99']:.0f}" for pace in ("paced_us", "paced_heartbeat_us")),
            f"{each['after_idle_us']:.0f}",
            str(most_streams(each)),
        )
    out.print(table)
    for name, each in backends.items():
        if "refused" in each:
            say(f"not run: {name}: {each['refused']}", out)
