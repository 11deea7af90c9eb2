"""What it costs until there is a window."""

import subprocess
import sys

_START = """
import time
from PyQt6.QtWidgets import QApplication
application = QApplication(["ecg-stream"])
from engine.run.protocol import Job
from gui.main_window import MainWindow
from gui.settings import Settings
from streamer.settings import SourceSettings
window = MainWindow(None, Job((SourceSettings(),)), (), Settings())
window.show()
application.processEvents()
window.grab()
print(time.process_time())
window.close()
"""


def start_cpu_s(times: int = 5) -> float:
    """CPU time, s, of a process until its window with the start screen is painted: the median of several."""
    taken = []
    for _ in range(times):
        done = subprocess.run([sys.executable, "-c", _START], check=True, capture_output=True, text=True)
        taken.append(float(done.stdout))
    return sorted(taken)[times // 2]
