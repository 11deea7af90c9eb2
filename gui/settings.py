"""Settings of the window that are kept between sessions."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PyQt6.QtCore import QByteArray, QSettings, QStandardPaths

from gui.lead_view import LeadView
from gui.theme import THEMES
from gui.view_options import ViewOptions

_GEOMETRY, _BEDS = "geometry", "beds"
_KEPT_BEDS = 64


class Settings:
    """Settings of the screen, in the system's usual place.

    Parameters
    ----------
    store
        Where they are kept; None forgets them with the process, as screenshots and tests want.
    """

    def __init__(self, store: QSettings | None = None) -> None:
        self._store = store
        self._memory: dict[str, Any] = {}
        self._bed = ""
        self.knows_beds = True
        """Whether view and place of the window are those of the bed, where it has some of its own."""

    @classmethod
    def of_user(cls) -> "Settings":
        """The settings of whoever runs this."""
        return cls(QSettings("ecg-stream", "ecg-stream"))

    def get(self, key: str, default: Any) -> Any:
        """A value of the type of `default`; the default where there is none, or an unusable one."""
        value = next((value for value in map(self._value, self._places(key)) if value is not None), None)
        if value is None:
            return default
        try:
            if isinstance(default, bool):
                return str(value).lower() == "true"
            return type(default)(value)
        except (TypeError, ValueError):
            return default

    def set(self, key: str, value: Any) -> None:
        """Remember a value."""
        for place in self._places(key):
            if self._store:
                self._store.setValue(place, value)
            else:
                self._memory[place] = value

    def _value(self, key: str) -> Any:
        return self._store.value(key) if self._store else self._memory.get(key)

    # beds

    def use_bed(self, names: Sequence[str]) -> None:
        """From now on view and place of the window are those of a bed, and in general where it has none.

        Parameters
        ----------
        names
            Of the streams on the screen; none is no bed.
        """
        self._bed = quote("\n".join(names), safe="") if self.knows_beds else ""
        if not self._bed:
            return
        beds = [bed for bed in self.get(_BEDS, "").split() if bed != self._bed]
        for forgotten in beds[_KEPT_BEDS - 1 :]:
            self._forget(forgotten)
        self.set(_BEDS, " ".join([self._bed, *beds[: _KEPT_BEDS - 1]]))

    @property
    def bed_has_geometry(self) -> bool:
        """Whether the window has stood somewhere with this bed in it."""
        return bool(self._bed) and self._value(_of_bed(self._bed, _GEOMETRY)) is not None

    def forget_bed(self) -> None:
        """Forget what is remembered of the bed alone."""
        if self._bed:
            self._forget(self._bed)

    def _forget(self, bed: str) -> None:
        if self._store:
            self._store.remove(_of_bed(bed, ""))
        else:
            inside = _of_bed(bed, "")
            self._memory = {key: value for key, value in self._memory.items() if not key.startswith(inside)}

    def _places(self, key: str) -> list[str]:
        """Where a value is kept: what belongs to a bed there too, and there first."""
        own = self._bed and (key == _GEOMETRY or key.startswith("view/"))
        return [_of_bed(self._bed, key), key] if own else [key]

    @property
    def options(self) -> ViewOptions:
        """How the traces are shown; the default where what was remembered is not possible any more."""
        default = ViewOptions()
        plain = [field.name for field in fields(ViewOptions) if field.name != "leads"]
        values = {name: self.get(f"view/{name}", getattr(default, name)) for name in plain}
        try:
            leads = LeadView.of(self.get("view/leads", default.leads.text()))
            return replace(default, leads=leads, **values)
        except ValueError:
            return default

    @options.setter
    def options(self, options: ViewOptions) -> None:
        for field in fields(ViewOptions):
            value = getattr(options, field.name)
            self.set(f"view/{field.name}", value.text() if isinstance(value, LeadView) else value)

    @property
    def theme(self) -> str:
        """Name of the theme."""
        name = self.get("theme", "dark")
        return name if name in THEMES else "dark"

    @theme.setter
    def theme(self, name: str) -> None:
        self.set("theme", name)

    @property
    def folder(self) -> Path:
        """Where snapshots and recordings go."""
        documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        return Path(self.get("folder", str(Path(documents) / "ecg-stream")))

    @property
    def geometry(self) -> QByteArray:
        """Place and size of the window; empty at the first start."""
        geometry: QByteArray = self.get(_GEOMETRY, QByteArray())
        return geometry

    @geometry.setter
    def geometry(self, geometry: QByteArray) -> None:
        self.set(_GEOMETRY, geometry)


def _of_bed(bed: str, key: str) -> str:
    return f"bed/{bed}/{key}"
