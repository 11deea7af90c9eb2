"""Every list, slider, tab, menu and button of the monitor does something; one without a row here fails."""

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from control_tools import (
    KEYS,
    LEADS,
    LEFT,
    NONE,
    begin,
    changes,
    controls_in,
    option,
    pick,
    selected,
    times,
    tried_window,  # noqa: F401 - a fixture
    trigger,
    until,
    with_marks,
)
from PyQt6.QtCore import QPoint
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import (
    QScrollBar,
    QToolButton,
)

LISTS = {
    "noise": times("set_noise"),
    "network": times("retune"),
    "lookahead": times("retune"),
    "backend": times("retune"),
    "speed": option("speed"),
    "gain": option("gain"),
    "lanes": option("layout"),
}
"""Lists of the controls."""


def test_every_list_slider_and_tab_by_mouse(qtbot, window):
    page = window.page
    begin(window)
    seen = {each for each in controls_in(page) if isinstance(each, QToolButton) and each.defaultAction()}
    for name, look in LISTS.items():
        box = getattr(page.controls, name).box
        seen.add(box)
        changes(qtbot, window, name, look, lambda box=box: pick(qtbot, box))
    slider = page.controls.snr
    changes(
        qtbot,
        window,
        "snr",
        times("set_noise"),
        lambda: QTest.mouseClick(slider, LEFT, NONE, QPoint(slider.width() - 3, slider.height() // 2)),
    )
    tabs = page.panel.tabBar()
    for number in (1, 2, 3, 0):
        changes(
            qtbot,
            window,
            f"tab {number}",
            lambda window: page.panel.currentIndex(),
            lambda number=number: QTest.mouseClick(tabs, LEFT, NONE, tabs.tabRect(number).center()),
        )
    page.panel.setCurrentIndex(1)
    span = page.panel.trends.span
    changes(qtbot, window, "span", lambda window: page.panel.trends.curves.seconds, lambda: pick(qtbot, span))
    begin(window)
    with_marks(window)
    events = page.events.list
    page.events.refresh(window.run.monitor)
    last = events.visualItemRect(events.topLevelItem(events.topLevelItemCount() - 1)).center()
    changes(qtbot, window, "events", until, lambda: QTest.mouseClick(events.viewport(), LEFT, NONE, last))
    bar = page.review_bar.slider
    window.review.to_newest()
    changes(
        qtbot,
        window,
        "past",
        until,
        lambda: QTest.mouseClick(bar, LEFT, NONE, QPoint(bar.width() // 4, bar.height() // 2)),
    )
    for button, look in (
        (page.restart_button, times("start")),
        (page.source_button, lambda window: window.start_screen.isVisible()),
    ):
        begin(window)
        page.show_over("The source has ended.")
        changes(qtbot, window, button.text(), look, lambda button=button: QTest.mouseClick(button, LEFT))
        seen.add(button)
    begin(window)
    first = page.streams.rows[0].view
    changes(qtbot, window, "row", selected, lambda: QTest.mouseClick(first, LEFT))
    seen |= {slider, tabs, span, events, bar}
    # The rows scroll where they do not fit; PgDn brings each into sight.
    seen |= set(page.streams.findChildren(QScrollBar))
    assert controls_in(page) == seen


def test_the_menu_of_a_lead_by_mouse_and_by_key(qtbot, window):
    begin(window)
    texts = []
    for by_mouse in (True, False):
        done = set()
        while True:
            begin(window)
            trigger("Next lead", "Next lead", "Lead larger", "Leads")(window)
            menu = window.lead_menu.menu
            qtbot.waitUntil(menu.isVisible, timeout=10_000)
            may = [each for each in menu.actions() if each.isEnabled() and not each.isSeparator()]
            texts = [each.text() for each in may]
            left = [each for each in may if each.text() not in done and not each.isChecked()]
            if not left:
                break
            done.add(left[0].text())

            def act(entry=left[0], menu=menu, by_mouse=by_mouse):
                if by_mouse:
                    QTest.mouseClick(menu, LEFT, NONE, menu.actionGeometry(entry).center())
                else:
                    menu.setActiveAction(entry)
                    QTest.keyClick(menu, KEYS.Key_Return)

            changes(qtbot, window, left[0].text(), LEADS, act)
    assert {"Move up", "Hide", "All leads, as they come"} < set(texts)
