"""Settings of the window that are kept between sessions."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QByteArray, QSettings, QStandardPaths

from gui.lead_view import LeadView
from gui.theme import THEMES
from gui.view_options import ViewOptions


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

    @classmethod
    def of_user(cls) -> "Settings":
        """The settings of whoever runs this."""
        return cls(QSettings("ecg-stream", "ecg-stream"))

    def get(self, key: str, default: Any) -> Any:
        """A value of the type of `default`; the default where there is none, or an unusable one."""
        value = self._store.value(key) if self._store else self._memory.get(key)
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
        if self._store:
            self._store.setValue(key, value)
        else:
            self._memory[key] = value

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
        geometry: QByteArray = self.get("geometry", QByteArray())
        return geometry

    @geometry.setter
    def geometry(self, geometry: QByteArray) -> None:
        self.set("geometry", geometry)
