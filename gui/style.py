"""How Qt's own widgets look in a theme."""

import re
from html import escape

from gui.theme import Theme


def style_sheet(theme: Theme, zoom: float = 1.0) -> str:
    """Qt style sheet of the whole window, letters and the room round them `zoom` times as large as usual."""
    sheet = f"""
QWidget {{ background: {theme.panel}; color: {theme.text}; font-size: 12px; }}
QLabel {{ background: transparent; }}
QLabel#quiet {{ color: {theme.quiet}; font-size: 11px; }}
QLabel#title {{ font-size: 16px; font-weight: bold; }}
QLabel#headline {{ font-size: 22px; font-weight: bold; }}
QLabel#badge {{ font-size: 15px; font-weight: bold; }}
QLabel#error {{ color: {theme.bad}; font-size: 12px; }}
QFrame#line {{ background: {theme.line}; border: none; }}
QFrame#banner {{ background: {theme.raised}; border: 1px solid {theme.bad}; border-radius: 4px; }}
QComboBox, QLineEdit, QTreeWidget, QSpinBox {{
    background: {theme.raised}; border: 1px solid {theme.line}; border-radius: 3px; padding: 2px 4px;
}}
QComboBox {{ padding-right: 18px; }}
QComboBox::drop-down {{ border: none; width: 2px; }}
QSpinBox::up-button, QSpinBox::down-button {{ border: none; background: transparent; width: 18px; }}
QSpinBox::up-arrow, QSpinBox::down-arrow {{ width: 0px; }}
QComboBox::down-arrow {{ width: 0px; }}
QComboBox QAbstractItemView {{ background: {theme.raised}; selection-background-color: {theme.line}; }}
QComboBox:disabled, QToolButton:disabled, QPushButton:disabled {{ color: {theme.quiet}; }}
QTreeWidget::item {{ padding: 3px; }}
QTreeWidget::item:selected {{ background: {theme.line}; color: {theme.text}; }}
QToolButton, QPushButton {{
    background: {theme.raised}; border: 1px solid {theme.line}; border-radius: 3px; padding: 3px 5px;
}}
QToolButton#quiet {{ border: none; background: transparent; font-size: 11px; padding: 0px 3px;
    color: {theme.quiet}; }}
QToolButton:checked {{ border-color: {theme.cleaned}; color: {theme.cleaned}; }}
QToolButton:hover, QPushButton:hover {{ border-color: {theme.quiet}; }}
QPushButton:default {{ border-color: {theme.good}; }}
QSlider::groove:horizontal {{ height: 4px; background: {theme.line}; border-radius: 2px; }}
QSlider::handle:horizontal {{
    width: 12px; margin: -5px 0; background: {theme.text}; border-radius: 6px;
}}
QTabWidget::pane {{ border: none; }}
QTabBar {{ qproperty-drawBase: 0; }}
QTabBar::tab {{ background: {theme.panel}; color: {theme.quiet}; padding: 4px 7px; font-size: 11px; }}
QTabBar::tab:selected {{ color: {theme.text}; border-bottom: 2px solid {theme.text}; }}
QScrollBar:horizontal {{ height: 12px; background: {theme.background}; border: 1px solid {theme.line}; }}
QScrollBar::handle:horizontal {{ background: {theme.quiet}; border-radius: 4px; min-width: 24px; }}
QScrollBar::add-line:horizontal, QScrollBar::sub-line:horizontal {{ width: 0px; }}
QScrollBar:vertical {{ width: 12px; background: {theme.background}; border: 1px solid {theme.line}; }}
QScrollBar::handle:vertical {{ background: {theme.quiet}; border-radius: 4px; min-height: 24px; }}
QScrollBar::add-line:vertical, QScrollBar::sub-line:vertical {{ height: 0px; }}
QToolTip {{ background: {theme.raised}; color: {theme.text}; border: 1px solid {theme.line}; }}
"""
    # Lines of one pixel stay thin.
    return re.sub(r"(\d{2,}|[2-9])px", lambda size: f"{round(int(size[1]) * zoom)}px", sheet)


def chip(theme: Theme, level: str) -> str:
    """Style sheet of the state chip of a level: filled with its colour; ``warn`` has an outline."""
    shape = "border-radius: 4px; padding: 2px 8px; font-weight: bold;"
    if level == "warn":
        return f"border: 1px solid {theme.bad}; color: {theme.bad}; {shape}"
    colour = getattr(theme, level)
    return f"border: 1px solid {colour}; background: {colour}; color: {theme.background}; {shape}"


def tip(text: str) -> str:
    """Escape text for a tool tip, where Qt would read tags as markup; empty stays empty."""
    return f"<qt>{escape(text)}</qt>" if text else ""
