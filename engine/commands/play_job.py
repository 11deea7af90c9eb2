"""From the options of playing to a job."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from engine.commands.device_options import DeviceOptions
from engine.commands.options import lookahead_ms
from engine.commands.play_options import (
    LiveOptions,
    NetworkOptions,
    NoiseOptions,
    RecordOptions,
    SourceOptions,
)
from streamer.console.options import literal
from streamer.errors import InputError

if TYPE_CHECKING:
    from engine.run.protocol import Job
    from streamer.settings import SourceSettings

_IMPLIES = {
    "record": "replay",
    "stream_name": "lsl",
    "stream_type": "lsl",
    "source_id": "lsl",
    "all_streams": "lsl",
    "wait": "lsl",
    "timeout": "lsl",
    "unit": "lsl",
    "scale": "lsl",
    "board": "brainflow",
    "port": "serial",
    "address": "polar",
    "patients": "synthetic",
    "rhythm": "synthetic",
    "heart_rate": "synthetic",
}
"""Options that only one kind of source has, and that kind."""
_OF_EVERY_LIVE = ("wait", "timeout", "unit", "scale")
"""Those of them that every live source takes, where another option says which."""


def implied_kind(source: SourceOptions, given: Collection[str]) -> str | None:
    """The kind of source that was named, or that other options imply; None where nothing was chosen.

    Parameters
    ----------
    given
        Names of the options that stand on the command line, as those of the fields.

    Raises
    ------
    InputError
        If options imply several kinds.
    """
    if source.source is not None:
        return source.source
    telling = {_IMPLIES[name]: name for name in _IMPLIES if name in given and name not in _OF_EVERY_LIVE}
    others = {_IMPLIES[name]: name for name in _OF_EVERY_LIVE if name in given}
    implied = telling if telling.keys() & {"brainflow", "serial", "polar"} else others | telling
    if len(implied) > 1:
        options = " and ".join(f"--{name.replace('_', '-')}" for name in implied.values())
        raise InputError(
            f"{options} belong to sources of different kinds ({', '.join(implied)}); "
            "leave one of them out, or say with --source which you mean"
        )
    return next(iter(implied), None)


def job_of(
    source: SourceOptions,
    noise: NoiseOptions,
    network: NetworkOptions,
    live: LiveOptions,
    device: DeviceOptions,
    record: RecordOptions,
    *,
    kind: str | None,
    seconds: float | None,
    launched_ns: int,
) -> "Job":
    """What the options ask for.

    Parameters
    ----------
    kind
        See `implied_kind`; the synthetic patient where there is none.
    seconds
        How much signal to play; None plays to the end.
    launched_ns
        `time.perf_counter_ns` when the command began.

    Raises
    ------
    InputError
        If an option cannot be used.
    """
    from engine.run.protocol import CleanSettings, Job

    return Job(
        sources=_sources(kind or "synthetic", source, noise, live, device, seconds),
        clean=CleanSettings(
            model=network.model,
            backend=network.backend,
            lookahead_ms=lookahead_ms(network.lookahead, network.model),
            hop_ms=network.hop,
        ),
        threads=network.threads,
        ladder=network.ladder,
        restart=network.restart,
        save=record.save,
        rotate_minutes=record.rotate,
        subject=record.subject,
        lsl_out=live.lsl_out,
        launched_ns=launched_ns,
        picture=record.plot is not None,
    )


def _sources(
    kind: str,
    source: SourceOptions,
    noise: NoiseOptions,
    live: LiveOptions,
    device: DeviceOptions,
    seconds: float | None,
) -> "tuple[SourceSettings, ...]":
    """The streams that are to play, side by side."""
    from streamer.lsl.settings import LslSettings
    from streamer.open_source import kind_of
    from streamer.settings import SourceSettings
    from streamer.several import side_by_side

    settings = SourceSettings(
        kind=literal(kind),
        database=source.database,
        data_dir=source.data_dir,
        leads=tuple(name.strip() for name in source.leads.split(",")) if source.leads else None,
        start=source.start,
        seconds=seconds,
        speed=source.speed,
        loop=source.loop,
        own_drift=literal(source.own_drift),
        rhythm=source.rhythm,
        heart_rate=source.heart_rate,
        noise=noise.noise if noise.noise is not None else kind_of(kind).usual_noise,
        snr=noise.snr,
        snr_definition=literal(noise.snr_definition),
        noise_part=literal(noise.noise_part),
        seed=source.seed,
        lsl=LslSettings(
            stream_type=live.stream_type,
            source_id=live.source_id,
            wait=live.wait,
            timeout=live.timeout,
            unit=live.unit,
            scale=live.scale,
        ),
        faults=source.faults,
        given=device.given,
    )
    return side_by_side(
        settings, source.record, live.stream_name, source.patients, every_stream=live.all_streams
    )


def prepare(job: "Job", progress: Callable[[str, int, int], None]) -> None:
    """Build what opening the backend of a job would build, a TensorRT plan, while progress is shown."""
    from engine.backends import prepare_backend
    from models.registry import load_card

    prepare_backend(job.clean.backend, load_card(job.clean.model), progress)
