"""Print the last seconds of a stream: what goes on the sheets, and into which files."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from PyQt6.QtCore import QMarginsF
from PyQt6.QtGui import QColor, QImage, QPageLayout, QPageSize, QPainter, QPdfWriter

from engine.marks import Mark
from gui.lead_names import written
from gui.monitor import Monitor
from gui.new_file import new_file
from gui.printing.sheet import GAIN, HEIGHT_MM, ROW_S, SPEED, WIDTH_MM, Row, Sheet, Trace
from gui.review.when import time_of_day, when
from gui.terminal.view import WARNING
from gui.theme import LIGHT
from streamer.errors import InputError
from streamer.records.record import REFERENCE_CUTOFF_HZ

MINUTE_S = 60.0
_PDF_DPI, _PNG_DPI = 1200, 200
_MM_PER_INCH = 25.4
_BLACK = "#000000"


def sheets(monitor: Monitor, stop: int, seconds: float) -> list[Sheet]:
    """Sheets of a stream before a sample: one of `ROW_S` with every lead, or a minute with one a lead.

    Parameters
    ----------
    stop
        The first sample that is not printed; what the engine has not released is not either.
    seconds
        `ROW_S` or `MINUTE_S`.

    Raises
    ------
    InputError
        If nothing has been cleaned.
    """
    info, buffer = monitor.info, monitor.buffer
    stop = min(stop, buffer.final)
    start = max(buffer.oldest, stop - round(seconds * info.fs))
    if buffer.empty or start >= stop:
        raise InputError("nothing has been cleaned yet, and there is nothing to print")
    leads = range(len(info.leads))
    if seconds <= ROW_S:
        return [_sheet(monitor, start, stop, _strip(monitor, start, stop), leads)]
    return [_sheet(monitor, start, stop, _minute(monitor, lead, start, stop), [lead]) for lead in leads]


def _strip(monitor: Monitor, start: int, stop: int) -> list[Row]:
    """Every lead; one that is alone has raw and cleaned below each other."""
    leads = [written(lead) for lead in monitor.info.leads]
    if len(leads) > 1:
        return [
            Row(name, (_raw(monitor, lead, start, stop), _cleaned(monitor, lead, start, stop)))
            for lead, name in enumerate(leads)
        ]
    return [
        Row(f"{leads[0]} raw", (_raw(monitor, 0, start, stop),)),
        Row(f"{leads[0]} cleaned", (_cleaned(monitor, 0, start, stop),)),
    ]


def _minute(monitor: Monitor, lead: int, start: int, stop: int) -> list[Row]:
    """One lead, a row every `ROW_S`."""
    row = round(ROW_S * monitor.info.fs)
    return [
        Row(
            when(monitor, at),
            tuple(each(monitor, lead, at, min(stop, at + row)) for each in (_raw, _cleaned)),
        )
        for at in range(start, stop, row)
    ]


def _raw(monitor: Monitor, lead: int, start: int, stop: int) -> Trace:
    values = monitor.buffer.read("raw", lead, start, stop)
    known = values[np.isfinite(values)]
    # An electrode's offset would carry it off the paper.
    middle = np.float32(np.median(known)) if known.size else np.float32(0)
    return Trace(values - middle, LIGHT.raw)


def _cleaned(monitor: Monitor, lead: int, start: int, stop: int) -> Trace:
    marks = monitor.buffer.marks(lead, start, stop)
    passed = (marks == Mark.BYPASSED) | (marks == Mark.FILTERED)
    return Trace(monitor.buffer.read("cleaned", lead, start, stop), _BLACK, passed)


def _sheet(monitor: Monitor, start: int, stop: int, rows: list[Row], leads: Sequence[int]) -> Sheet:
    info, status = monitor.info, monitor.status
    day = f"{datetime.fromtimestamp(time_of_day(monitor, start)):%Y-%m-%d %H:%M:%S}"
    place = f" · from {when(monitor, start)} of the record" if info.origin == "record" else ""
    names = ", ".join(written(info.leads[lead]) for lead in leads)
    scale = f"{SPEED:g} mm/s · {GAIN:g} mm/mV"
    clean = status.setup.clean if status else None
    by = f"{clean.model}, look-ahead {clean.lookahead_ms:.0f} ms" if clean else "settings unknown"
    cleaned = f"cleaned (black) by {by} · above {REFERENCE_CUTOFF_HZ:g} Hz · raw as it came, less its median"
    marks = [event.text or "mark" for event in monitor.events.marks(start, stop)]
    return Sheet(
        info.name,
        (
            f"{day}{place} · {(stop - start) / info.fs:.1f} s · leads {names} · {scale}",
            cleaned,
            _bypassed(monitor, start, stop, leads),
            *([f"marked: {'; '.join(marks)}"] if marks else []),
        ),
        f"ST and P waves not validated · {WARNING} · printed {datetime.now():%Y-%m-%d %H:%M:%S}",
        rows,
        info.fs,
    )


def _bypassed(monitor: Monitor, start: int, stop: int, leads: Sequence[int]) -> str:
    share = monitor.buffer.bypassed(start, stop, leads)
    if not share:
        return "nothing bypassed"
    reasons = {
        event.text
        for event in monitor.events.found
        if event.kind == "bypass" and event.sample < stop and (event.stop is None or event.stop > start)
    }
    return f"bypassed {100 * share:.0f} % (underlined): {'; '.join(sorted(reasons)) or 'output unusable'}"


def print_strip(monitor: Monitor, stop: int, seconds: float, folder: Path) -> Path:
    """Write a PDF, and beside it a PNG of each of its pages; returns where the PDF is.

    Raises
    ------
    InputError
        If there is nothing to print, or the folder cannot be written.
    OSError
        If the folder cannot be made.
    """
    pages = sheets(monitor, stop, seconds)
    path = new_file(folder, "ecg-strip", ".pdf")
    write_pdf(pages, path, monitor.info.name)
    for number, page in enumerate(pages, 1):
        picture = path.with_name(f"{path.stem}-{number}.png")
        if not draw_image(page).save(str(picture)):
            raise InputError(f"cannot write {picture}; give a folder that can be written")
    return path


def write_pdf(pages: Sequence[Sheet], path: Path, title: str) -> None:
    """Write sheets as a PDF of A4 pages; raises `InputError` where it cannot be written."""
    writer = QPdfWriter(str(path))
    writer.setTitle(title)
    writer.setCreator("ecg-stream")
    writer.setResolution(_PDF_DPI)
    size = QPageSize(QPageSize.PageSizeId.A4)
    writer.setPageLayout(QPageLayout(size, QPageLayout.Orientation.Landscape, QMarginsF(0, 0, 0, 0)))
    painter = QPainter()
    if not painter.begin(writer):
        raise InputError(f"cannot write {path}; give a folder that can be written")
    for number, page in enumerate(pages):
        if number:
            writer.newPage()
        page.paint(painter, _PDF_DPI / _MM_PER_INCH)
    painter.end()


def draw_image(page: Sheet, dpi: float = _PNG_DPI) -> QImage:
    """A sheet as a picture that knows its millimetres."""
    scale = dpi / _MM_PER_INCH
    image = QImage(round(WIDTH_MM * scale), round(HEIGHT_MM * scale), QImage.Format.Format_RGB32)
    image.setDotsPerMeterX(round(1000 * scale))
    image.setDotsPerMeterY(round(1000 * scale))
    image.fill(QColor("#ffffff"))
    painter = QPainter(image)
    page.paint(painter, scale)
    painter.end()
    return image
