"""What the keys do and what the words mean, as the window itself says it."""

from html import escape

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QDialog, QLabel, QScrollArea, QVBoxLayout, QWidget

KEYS = (
    (("Space",), "pause a replay; of a live source only the screen"),
    (("F",), "freeze the screen and look back; the engine goes on"),
    (("Left", "Right"), "back in time, and forth; also by the wheel and the scroll bar"),
    (("Home", "End"), "the oldest that is kept, the newest from before the freeze"),
    (("Ctrl+Left", "Ctrl+Right"), "event before, event behind"),
    (("E",), "calipers: time, rate and voltage; also by a drag on a frozen page"),
    (("Shift+Left", "Shift+Right"), "move the second line of the calipers by a sample"),
    (("Alt+Left", "Alt+Right"), "move both lines of the calipers by a sample"),
    (("H",), "march out: repeat the interval of the calipers"),
    (("N",), "next noise"),
    (("Up", "Down"), "SNR of the noise, ± 1 dB"),
    (("W",), "next network"),
    (("K",), "next backend"),
    (("[", "]"), "look-ahead, shorter and longer"),
    ((",", "."), "paper speed; also Ctrl and wheel"),
    (("-", "+", "="), "gain; also Shift and wheel"),
    (("V",), "lanes: auto, stacked, overlay, 3x4"),
    (("D",), "twelve leads as printed: 3x4 cells of 2.5 s and more over a rhythm strip"),
    (("Z", "Shift+Z"), "choose a lead: next, and the one before"),
    (("Ctrl+Up", "Ctrl+Down"), "the chosen lead larger, and smaller"),
    (("Alt+Up", "Alt+Down"), "move the chosen lead up, and down"),
    (("Ctrl+H",), "hide the chosen lead"),
    (("Ctrl+Shift+H",), "all leads as they come, at one gain"),
    (("I",), "menu of the chosen lead; also by a click on its name, or the right button on its lane"),
    (("S",), "scroll the paper, or an erase bar"),
    (("A",), "align: draw raw as late as cleaned"),
    (("R",), "residual: raw less cleaned"),
    (("J",), "ST view, from 0.05 Hz, beside the monitor's trace"),
    (("C",), "clean reference, where one is known"),
    (("B",), "band of uncertainty round cleaned"),
    (("Q",), "annotations and beats"),
    (("M",), "mark this moment, with a note; it is recorded and published"),
    (("G",), "next page at the right: state, trends, events, engineering"),
    (("Y",), "trends over a longer time"),
    (("Ctrl+L",), "limits that colour the heart rate, and a sound when a stream is lost: not an alarm"),
    (("X",), "wall: many streams as tiles"),
    (("Ctrl+N",), "second window for another monitor; in it X, F11 and Ctrl+W: wall or one bed, full, close"),
    (("L",), "panel of heart rate and delay"),
    (("Ctrl+R",), "record (WFDB)"),
    (("P",), "picture of the window (PNG)"),
    (("Ctrl+P",), "print 10 s at 25 mm/s (PDF and PNG)"),
    (("Ctrl+Shift+P",), "print a minute of each lead"),
    (("Ctrl+O",), "open a file; one can be dropped on the window too"),
    (("O",), "choose another source"),
    (("F5",), "play again; on the start screen look again"),
    (("PgUp", "PgDown"), "stream above, stream below"),
    (tuple("123456789"), "select stream 1 to 9"),
    (("T",), "dark, or light for print"),
    (("F11",), "full screen"),
    (("Ctrl+D",), "calibrate the millimetres of this screen"),
    (("Ctrl+0",), "reset the view to the first start"),
    (("F1", "?"), "this help"),
)
"""Every key of the window, and what it does."""
WORDS = (
    ("LIVE, REPLAY, DEMO", "a patient at this moment; a record; a synthetic patient"),
    ("STALE, LOST", "nothing has come for a second; for so long that the stream is taken to be gone"),
    ("gap", "samples that the source never delivered: hatched, and never bridged"),
    ("BYPASS", "raw is passed on, in its own colour, because the network's output is not to be trusted"),
    ("FILTER", "a classical filter stands in, drawn in white or black: the machine does not keep up"),
    ("off scale", "the trace runs beyond its lane; a bar at the edge shows where"),
    ("Δ", "how old a cleaned sample is when it is painted: median, and what 99 % stay below"),
    ("look-ahead", "signal after a sample that the network waits for: more is cleaner, and later"),
    ("SNR", "power of the ECG over that of its error, raw → cleaned; only where the clean ECG is known"),
    ("dim: wave unsure", "a wave that is lower than twice the network's own uncertainty of it"),
    ("ST view", "cleaned, with all that is slow from 0.05 Hz on: ST changes, and slow noise"),
    ("ST not validated", "amplitudes of ST segment and P wave after cleaning are not to be measured"),
)
"""Words on the screen, and what they mean."""


class Help(QDialog):
    """A window beside the monitor, which goes on."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys and words")
        text = QLabel(_page())
        text.setTextFormat(Qt.TextFormat.RichText)
        text.setWordWrap(True)
        text.setMargin(14)
        scrolled = QScrollArea()
        scrolled.setWidgetResizable(True)
        scrolled.setWidget(text)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scrolled)

    def toggle(self) -> None:
        """Open it in front, over nearly all of the monitor; or close it."""
        if self.isVisible():
            self.hide()
            return
        parent = self.parentWidget()
        if parent:
            self.resize(parent.width() * 3 // 4, parent.height() * 9 // 10)
        self.show()


def _page() -> str:
    half = (len(KEYS) + 1) // 2
    rows = "".join(
        f"<tr>{''.join(_key(*KEYS[at]) for at in (row, row + half) if at < len(KEYS))}</tr>"
        for row in range(half)
    )
    words = "".join(
        f"<tr><td><b>{escape(word)}</b>&nbsp;&nbsp;</td><td>{escape(meaning)}</td></tr>"
        for word, meaning in WORDS
    )
    return (
        f"<h3>Keys</h3><table cellspacing=4>{rows}</table><h3>Words</h3><table cellspacing=4>{words}</table>"
    )


def _key(keys: tuple[str, ...], does: str) -> str:
    shown = "1 … 9" if len(keys) > 3 else " ".join(keys)
    return f"<td><b>{escape(shown)}</b>&nbsp;&nbsp;</td><td>{escape(does)}&nbsp;&nbsp;&nbsp;&nbsp;</td>"
