"""What is shown when nothing was chosen: the sources that were found, and how to clean them."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QResizeEvent
from PyQt6.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpacerItem,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from engine.choices import backends, networks
from engine.run.protocol import Job
from gui.arrows import NumberField
from gui.choice import Choice
from gui.controls import HIGHEST_DB, LOOKAHEADS_MS, LOWEST_DB, NOISES, choice_of
from gui.terminal.view import WARNING
from gui.zoom import spread, zoom_of
from streamer.found import Finder, FoundSource, find_sources
from streamer.open_source import kind_of
from streamer.records.nstdb import missing_noise
from streamer.settings import SourceSettings

_LOOK_MS = 100
_COLUMNS = (0.28, 0.46, 0.26)
"""Shares of the list's width."""


class StartScreen(QWidget):
    """Lists sources; `chosen` hands over the `Job` that a person started.

    Sources are looked for on a thread: a network answers in seconds, and the screen must not wait.

    Parameters
    ----------
    finders
        Each returns the sources that it knows of.
    job
        Everything that a person does not choose here.
    recent
        Files that were opened before; they are listed first.
    """

    chosen = pyqtSignal(object)
    file_asked = pyqtSignal()

    def __init__(
        self, finders: Sequence[Finder], job: Job, recent: Callable[[], list[FoundSource]] = list
    ) -> None:
        super().__init__()
        self._finders, self._job, self._recent = tuple(finders), job, recent
        self._found: list[FoundSource] = []
        self._problems: list[str] = []
        self._missing_noise = ""
        self._thread: threading.Thread | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)

        headline = QLabel("Which ECG?")
        headline.setObjectName("headline")
        self.state = QLabel()
        self.state.setObjectName("quiet")
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("filter by name: 100, ludb, synthetic …")
        self.filter.setClearButtonEnabled(True)
        self.list = QTreeWidget()
        self.list.setHeaderHidden(True)
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setSelectionMode(QTreeWidget.SelectionMode.ExtendedSelection)
        self.list.setColumnCount(len(_COLUMNS))
        # Its columns have all the width that there is.
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.again = QPushButton("Look again  F5")
        left = QVBoxLayout()
        left.setSpacing(10)
        left.addWidget(headline)
        left.addWidget(self.filter)
        left.addWidget(self.list, 1)
        below = QHBoxLayout()
        below.addWidget(self.state, 1)
        self.open = QPushButton("Open file …  Ctrl+O")
        below.addWidget(self.open)
        below.addWidget(self.again)
        self.hint = QLabel()
        self.hint.setObjectName("quiet")
        self.hint.setWordWrap(True)
        left.addWidget(self.hint)
        left.addLayout(below)

        self.noise = Choice("", [("default", "as usual for the source"), *NOISES])
        first = job.sources[0]
        if first.noise != kind_of(first.kind).usual_noise:
            # It was asked for on the command line.
            self.noise.show_value(first.noise)
        self.snr = NumberField()
        self.snr.setRange(LOWEST_DB, HIGHEST_DB)
        self.snr.setSuffix(" dB")
        self.snr.setValue(round(first.snr))
        self.leads = QLineEdit()
        self.leads.setPlaceholderText("all; or names: MLII,V1")
        self.network = choice_of("", networks())
        self.network.show_value(job.clean.model)
        self.lookahead = Choice("", [(str(ms), f"{ms} ms") for ms in LOOKAHEADS_MS])
        self.lookahead.show_value(f"{job.clean.lookahead_ms:g}", f"{job.clean.lookahead_ms:g} ms")
        self.backend = choice_of("", backends(), "auto")
        self.backend.show_value(job.clean.backend)
        self.start = QPushButton("Start  Enter")
        self.start.setDefault(True)
        self.error = QLabel()
        self.error.setTextFormat(Qt.TextFormat.PlainText)
        self.error.setObjectName("error")
        self.error.setWordWrap(True)
        for choice in (self.noise, self.network, self.lookahead, self.backend):
            # No key of a run is heard here: a list may have the focus, and is chosen from by the arrow keys.
            choice.box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._form = form = QFormLayout()
        for label, field in (
            ("Added noise", self.noise),
            ("SNR", self.snr),
            ("Leads", self.leads),
            ("Network", self.network),
            ("Look-ahead", self.lookahead),
            ("Backend", self.backend),
        ):
            form.addRow(label, field)
        warning = QLabel(WARNING)
        warning.setObjectName("quiet")
        warning.setWordWrap(True)
        right = QVBoxLayout()
        self._above = QSpacerItem(0, 38)
        right.addItem(self._above)
        right.addLayout(form)
        right.addSpacing(8)
        right.addWidget(self.start)
        right.addWidget(self.error)
        right.addStretch(1)
        right.addWidget(warning)

        self._page = QHBoxLayout(self)
        self._page.addLayout(left, 3)
        self._page.addLayout(right, 2)

        self.filter.textChanged.connect(self._fill)
        self.list.itemDoubleClicked.connect(lambda item, column: self.choose())
        self.list.itemSelectionChanged.connect(self._count_chosen)
        self.start.clicked.connect(lambda: self.choose())
        self.again.clicked.connect(lambda: self.look())
        self.open.clicked.connect(lambda: self.file_asked.emit())

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: D102
        super().resizeEvent(event)
        zoom = zoom_of(self.width(), self.height())
        spread(self._page, zoom, (28, 22, 28, 22), 28)
        self.start.setMinimumHeight(round(36 * zoom))
        self._above.changeSize(0, round(38 * zoom))
        self._form.setVerticalSpacing(round(10 * zoom))
        for column, share in enumerate(_COLUMNS):
            self.list.setColumnWidth(column, int(share * self.list.width()))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: D102
        # Wherever the focus is: no field and no list keeps Enter for itself.
        if event and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.choose()
        else:
            super().keyPressEvent(event)

    def look(self) -> None:
        """Look for sources anew."""
        if self._thread is not None:
            return
        self.state.setText("looking for sources …")
        self._thread = threading.Thread(target=self._find, name="source finder", daemon=True)
        self._thread.start()
        self._timer.start()

    def _find(self) -> None:
        self._found, self._problems = find_sources(self._finders)
        self._missing_noise = missing_noise(self._job.sources[0].data_dir)

    def _look(self) -> None:
        if self._thread is None or self._thread.is_alive():
            return
        self._thread = None
        self._timer.stop()
        self._found = [*self._recent(), *self._found]
        self.hint.setText(hint(self._found, self._missing_noise))
        if self._problems:
            self.show_error("\n".join(self._problems))
        self._fill()

    def _fill(self) -> None:
        wanted = self.filter.text().lower().split()
        self.list.clear()
        shown = 0
        for source in self._found:
            columns = [source.title, source.detail, source.group]
            text = " ".join(columns).lower()
            if all(word in text for word in wanted):
                item = QTreeWidgetItem(columns)
                item.setData(0, Qt.ItemDataRole.UserRole, source)
                self.list.addTopLevelItem(item)
                shown += 1
        self.list.setCurrentItem(self.list.topLevelItem(0))
        self.state.setText(f"{shown} of {len(self._found)} sources · Ctrl or Shift and click: several")

    def _count_chosen(self) -> None:
        count = len(self.list.selectedItems())
        self.start.setEnabled(count > 0)
        self.start.setText(f"Start {count} side by side  Enter" if count > 1 else "Start  Enter")

    def show_error(self, text: str) -> None:
        """Say why a source could not be started."""
        self.error.setText(text)

    def choose(self) -> None:
        """Start what is chosen."""
        items = self.list.selectedItems()
        if not items:
            return
        self._start([item.data(0, Qt.ItemDataRole.UserRole) for item in items])

    def choose_source(self, source: FoundSource) -> None:
        """Start a source that is not in the list."""
        self._start([source])

    def _start(self, chosen: Sequence[FoundSource]) -> None:
        sources = tuple(self._settings(source) for source in chosen)
        self.error.clear()
        self.chosen.emit(
            replace(
                self._job,
                sources=sources,
                clean=replace(
                    self._job.clean,
                    model=self.network.value,
                    backend=self.backend.value,
                    lookahead_ms=float(self.lookahead.value),
                ),
            )
        )

    def _settings(self, source: FoundSource) -> SourceSettings:
        """A source with what was chosen beside it."""
        settings = source.settings
        kind = kind_of(settings.kind)
        chosen = self.noise.value
        # A live stream takes no noise: it brings its own.
        noise = chosen if kind.played and chosen != "default" else kind.usual_noise
        names = tuple(name.strip() for name in self.leads.text().split(",") if name.strip())
        return replace(settings, noise=noise, snr=float(self.snr.value()), leads=names or settings.leads)


def hint(found: Sequence[FoundSource], missing_noise: str = "") -> str:
    """What can be done about what was not found; empty where all is there.

    Parameters
    ----------
    found
        Sources that were.
    missing_noise
        What `streamer.records.nstdb.missing_noise` says.
    """
    groups = {source.group for source in found}
    missing = []
    if "Live (LSL)" not in groups:
        missing.append("No live stream is on the network; `ecg-stream broadcast` makes one.")
    if "Records" not in groups:
        missing.append(
            "No record was found: open a file, drop one here, or name a folder of records (--data-dir, or "
            "ECG_STREAM_DATA)."
        )
    return " ".join([*missing, *([missing_noise] if missing_noise else [])])
