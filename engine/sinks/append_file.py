"""A file that only grows, by whole pieces: what recordings are made of."""

import os
from pathlib import Path


class AppendFile:
    """A new file; one that is there already is never opened.

    What `append` was given is with the system when it returns, and survives the end of this process,
    however it ends. It does not survive a power cut: the system writes to the disk when it sees fit
    (Linux: within about half a minute), and nothing here waits for that before `close`.

    Raises
    ------
    OSError
        If it cannot be made; FileExistsError if it is there.
    """

    def __init__(self, path: Path) -> None:
        self.size = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)

    def append(self, data: bytes) -> None:
        """Add data whole, or raise OSError and leave the file as it was."""
        try:
            written = os.write(self._file, data)
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            os.truncate(self._file, self.size)
            raise
        self.size += len(data)

    def close(self) -> None:
        """Have everything written to the disk."""
        try:
            os.fsync(self._file)
        finally:
            os.close(self._file)
