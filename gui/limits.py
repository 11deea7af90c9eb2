"""Limits that colour the heart rate, and a sound when a stream is lost: reminders, and no alarms."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from PyQt6.QtWidgets import (
    QApplication,
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QWidget,
)

from gui.arrows import NumberField
from gui.monitor import Monitor
from gui.settings import Settings

_EVERY_S = 4.0
_HIGHEST = 300


@dataclass(frozen=True)
class Limits:
    """Heart rates beyond which the number is coloured.

    Parameters
    ----------
    low, high
        bpm; 0 is no limit.
    sound
        Whether a lost stream is heard.
    """

    low: int = 0
    high: int = 0
    sound: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Limits that were chosen before."""
        return cls(
            settings.get("limits/low", 0), settings.get("limits/high", 0), settings.get("limits/sound", False)
        )

    def keep(self, settings: Settings) -> None:
        """Remember them."""
        for name in ("low", "high", "sound"):
            settings.set(f"limits/{name}", getattr(self, name))

    def beyond(self, bpm: float | None) -> bool:
        """Whether a known heart rate is below the low or above the high limit."""
        if bpm is None:
            return False
        return bool((self.low and bpm < self.low) or (self.high and bpm > self.high))

    @property
    def text(self) -> str:
        """What stands beside the number; empty without limits."""
        if not (self.low or self.high):
            return ""
        return f"limits {self.low or '--'} to {self.high or '--'} · not an alarm"


class LimitsDialog(QDialog):
    """Asks for limits.

    Parameters
    ----------
    limits
        What it shows first.
    """

    def __init__(self, parent: QWidget, limits: Limits) -> None:
        super().__init__(parent)
        self.setWindowTitle("Limits")
        self.low, self.high = NumberField(), NumberField()
        for box, value in ((self.low, limits.low), (self.high, limits.high)):
            box.setRange(0, _HIGHEST)
            box.setSpecialValueText("none")
            box.setSuffix(" bpm")
            box.setValue(value)
        self.sound = QCheckBox("a sound while a stream is lost")
        self.sound.setChecked(limits.sound)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form = QFormLayout(self)
        form.addRow("Coloured below", self.low)
        form.addRow("Coloured above", self.high)
        form.addRow(self.sound)
        form.addRow(QLabel("The number is coloured. This is not an alarm."))
        form.addRow(buttons)

    @property
    def limits(self) -> Limits:
        """What was chosen."""
        return Limits(self.low.value(), self.high.value(), self.sound.isChecked())


class LostSound:
    """Beeps every few seconds while a stream is lost."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def listen(self, monitors: Iterable[Monitor], *, on: bool) -> None:
        """Beep where it is due."""
        now = time.monotonic()
        if on and now >= self._next_s and any(monitor.lost_s is not None for monitor in monitors):
            self._next_s = now + _EVERY_S
            QApplication.beep()
