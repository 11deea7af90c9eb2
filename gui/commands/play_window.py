"""A run in the window."""

from functools import partial
from typing import TYPE_CHECKING

from engine.commands.play_options import ScreenOptions
from gui.display import has_display, why_no_window
from streamer.console.output import err
from streamer.errors import InputError

if TYPE_CHECKING:
    from engine.run.protocol import Job, Outcome


def takes_window(screen: ScreenOptions) -> bool:
    """Whether a run is shown in the window: where a picture of it is asked for, or somebody can see it."""
    return bool(screen.screenshot) or (not screen.headless and has_display() and why_no_window() is None)


def play_in_window(
    job: "Job", screen: ScreenOptions, *, chosen: bool, seconds: float | None
) -> "Outcome | None":
    """Open the window, and wait until it is closed.

    Parameters
    ----------
    chosen
        Whether the job is played at once; otherwise the window asks what to play, and takes from the
        job what it does not ask for.
    seconds
        When the picture is taken; None is the usual time.

    Returns
    -------
    Outcome or None
        Of the last run, if there was one.

    Raises
    ------
    InputError
        If no window can be opened, or the job cannot be played.
    """
    reason = why_no_window()
    if reason:
        raise InputError(f"there is no window to take a picture of: {reason}")
    from engine.run.prepare import check_job
    from gui.app import SCREENSHOT_S, Screen, parse_size, run_window
    from streamer.found import find_records, find_streams, synthetic_patients

    settings = Screen(
        screenshot=screen.screenshot,
        seconds=SCREENSHOT_S if seconds is None else seconds,
        size=parse_size(screen.size) if screen.size else None,
        theme=screen.theme,
        lanes=screen.lanes,
        range_mv=screen.range_mv,
    )
    check_job(job)
    finders = [partial(find, job.sources[0]) for find in (find_streams, synthetic_patients, find_records)]
    outcome = run_window(job if chosen else None, job, finders, settings)
    if screen.screenshot:
        err.print(f"picture: {screen.screenshot}", markup=False)
    return outcome
