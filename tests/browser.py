"""A page in a headless Chromium, driven over the browser's own protocol.

https://chromedevtools.github.io/devtools-protocol names the methods and events. They go through two pipes of the
process, so nothing listens on any port, and no package is needed.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
PATIENCE = 60


def find_browser() -> str | None:
    """The path of a browser of this machine; CHROMIUM names another one."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


class Page:
    """One page of a browser of its own, which keeps what the page says and what it asks for."""

    def __init__(self, browser: str, profile: Path) -> None:
        read, self._write = os.pipe()
        self._read, write = os.pipe()
        # It reads messages from descriptor 3, and writes them to 4.
        script = f'exec "$0" "$@" 3<&{read} 4>&{write}'
        options = ["--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run", "--disable-gpu"]
        # Its sandbox cannot be had by root, nor in most containers.
        options += ["--headless", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", "about:blank"]
        with (profile.parent / "browser.log").open("w") as log:
            self._process = subprocess.Popen(
                ["bash", "-c", script, browser, *options], pass_fds=(read, write), stdout=log, stderr=log
            )
        os.close(read)
        os.close(write)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        targets = self.call("Target.getTargets")["targetInfos"]
        (target,) = [target["targetId"] for target in targets if target["type"] == "page"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._write)
        os.close(self._read)
        self._process.terminate()
        self._process.wait(timeout=PATIENCE)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the protocol; events that come meanwhile are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self._read], [], [], left)[0], "the browser does not answer"
            chunk = os.read(self._read, 1 << 20)
            assert chunk, "the browser has ended"
            self._buffer += chunk
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def open(self, page: Path) -> None:
        """Loads a file, and waits until all of it is there."""
        self.call("Page.navigate", url=page.as_uri())
        self.wait_for("Page.loadEventFired")

    def wait_for(self, event: str) -> None:
        while not any(known["method"] == event for known in self.events if "method" in known):
            self.events.append(self._next())

    def run(self, script: str) -> Any:
        """The value of an expression in the page, as JSON has it."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, *, shift: bool = False) -> None:
        """Presses a key, as a keyboard does: Tab, Enter or Space."""
        name, code, text = {"Tab": ("Tab", 9, ""), "Enter": ("Enter", 13, "\r"), "Space": (" ", 32, " ")}[key]
        parameters = {"key": name, "code": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **parameters)
        self.call("Input.dispatchKeyEvent", type="keyUp", **parameters)

    def look(self, *, width: int, dark: bool = False, media: str = "screen") -> None:
        """Shows the page at a width, light or dark, on a screen or as it is printed."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def picture(self, file: Path) -> None:
        """Writes a PNG of the whole page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def messages(self) -> list[str]:
        """What the page has said on the console, and what the browser says of it: errors, refusals by its policy."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(event["params"]) for event in self.events if event.get("method") in kinds]

    def requests(self) -> list[str]:
        """The addresses that the page has asked for."""
        asked = [event["params"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [request["request"]["url"] for request in asked]
