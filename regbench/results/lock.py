"""A directory in one process's hands, on one machine and on several that share it.

The system's lock (flock) keeps other processes of this machine out, is given back however a process
ends, and on many shared file systems reaches other machines too. Where it doesn't, a file beside it
tells them: it names machine and process, and its age, which its owner renews, says whether that one
lives.

filelock's own lease (SoftFileLease, 4.2.11) was tried in place of that file: it has heartbeat,
expiry and owner too, but who finds another machine's lease has to watch it for all of its duration
before it may be taken, however long that machine is gone. A command would wait two minutes, or be
refused for ever; here the age of the file says at once which it is.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import uuid
from contextlib import suppress
from pathlib import Path

from regbench.errors import RecordsError

BEAT = 20.0
"""Seconds after which the owner renews its sign of life."""
STALE = 120.0
"""Seconds without one after which a machine is taken to be gone."""
FILE, OWNER = "regbench.lock", "regbench.owner.lock"


class Lock:
    """Holds `directory`, which exists, until `release`.

    Raises RecordsError where another process holds it, or a process of another machine that gave a
    sign of life within `STALE` seconds; OSError where it can't be written.
    """

    def __init__(self, directory: Path) -> None:
        from filelock import FileLock, Timeout

        self.directory, self._owner = directory, directory / OWNER
        self._held = FileLock(directory / FILE, thread_local=False)
        try:
            self._held.acquire(timeout=0)
        except Timeout:
            raise RecordsError(
                f"{directory} is in use by another process; wait until it is done, end it, "
                "or choose another --out"
            ) from None
        self._me = {"machine": platform.node(), "process": os.getpid(), "token": uuid.uuid4().hex}
        self._done = threading.Event()
        try:
            if (
                (other := self._read())
                and other["machine"] != self._me["machine"]
                and (age := self._age()) < STALE
            ):
                raise RecordsError(
                    f"{directory} is in use by process {other['process']} of "
                    f"{other['machine']}, which gave a sign of "
                    f"life {age:.0f} s ago; end it there, wait {STALE:.0f} s if it is "
                    "gone, or choose another --out"
                )
            self._owner.write_text(json.dumps(self._me), encoding="utf-8")
        except BaseException:
            self._held.release()
            raise
        threading.Thread(target=self._live, daemon=True).start()

    def check(self) -> None:
        """Raise RecordsError where another machine has taken the directory, having heard nothing of
        this one.
        """
        if (other := self._read()) and other["token"] != self._me["token"]:
            raise RecordsError(
                f"{self.directory} was taken over by process {other['process']} of "
                f"{other['machine']}"
            )

    def release(self) -> None:
        """Let go of the directory."""
        self._done.set()
        if (other := self._read()) and other["token"] == self._me["token"]:
            with suppress(OSError):
                self._owner.unlink()
        self._held.release()

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()

    def _live(self) -> None:
        while not self._done.wait(BEAT):
            with suppress(OSError):
                os.utime(self._owner)

    def _read(self) -> dict[str, str] | None:
        """Return who the file names, or None where there is none, or what no owner wrote."""
        try:
            named = json.loads(self._owner.read_bytes()[:1000])
            return {key: str(named[key]) for key in ("machine", "process", "token")}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def _age(self) -> float:
        """Return the seconds since the owner's last sign of life, by the file system's clock:
        machines' own differ.
        """
        os.utime(self.directory / FILE)
        return (self.directory / FILE).stat().st_mtime - self._owner.stat().st_mtime
