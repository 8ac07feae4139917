"""Processes of their own at a fraction of the price: forked where the libraries are imported.

A server imports the libraries, and nothing of this project, once for all tests of a process; what
it forks then imports the project as a new Python would, has its own arguments, surroundings and
files for what it says, and can be killed. Where a test is about what a process imports, it takes
`subprocess`.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LIBRARIES = ("torch", "numpy", "scipy.stats", "scipy.optimize", "safetensors.torch", "PIL.Image")
LIBRARIES += ("sklearn.datasets", "sklearn.metrics", "skimage.data", "opacus.accountants", "tqdm")
LIBRARIES += ("torch._dynamo",)  # which the first vmap imports


@dataclass(frozen=True)
class Fresh:
    """A process that runs, and the folder of what it says."""

    pid: int
    told: Path

    @property
    def out(self) -> str:
        return (self.told / "out").read_text()

    @property
    def err(self) -> str:
        return (self.told / "err").read_text()

    def ended(self) -> bool:
        return bool(_ask({"do": "poll", "pid": self.pid})["ended"])

    def wait(self) -> int:
        """Its exit code, negative where a signal ended it."""
        self.until(lambda: False)
        return int(_ask({"do": "wait", "pid": self.pid})["code"])

    def until(self, holds: Any, seconds: float = 300) -> None:
        """Return when ``holds()`` is true, or when the process has ended, at the latest then."""
        deadline = time.monotonic() + seconds
        while not holds() and not self.ended():
            if time.monotonic() > deadline:
                os.killpg(self.pid, signal.SIGKILL)
                raise TimeoutError(self.out + self.err)
            time.sleep(0.01)


def start(*words: object, cwd: Path = ROOT, paths: tuple[Path, ...] = (ROOT,), **env: str) -> Fresh:
    """What ``python WORDS`` does in a group of processes of its own.

    Args:
        *words: ``-m MODULE ...`` or ``-c CODE``.
        cwd: where it runs.
        paths: what PYTHONPATH names.
        **env: of its surroundings, what is not as here.
    """
    told = Path(tempfile.mkdtemp(dir=_server()[1]))
    for name in ("out", "err"):
        (told / name).touch()
    given = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), **env}
    asked = {"words": [*map(str, words)], "cwd": str(cwd), "env": given, "told": str(told)}
    return Fresh(int(_ask({"do": "start", **asked})["pid"]), told)


def run(*words: object, code: int = 0, **place: Any) -> Fresh:
    """The same, once it has ended with ``code``."""
    process = start(*words, **place)
    left = process.wait()
    assert left == code, process.out + process.err
    return process


@functools.cache
def _server() -> tuple[subprocess.Popen[str], str]:
    folder = tempfile.TemporaryDirectory()
    line = [sys.executable, __file__]
    server = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(folder.cleanup)
    atexit.register(server.kill)
    return server, folder.name


def _ask(question: Mapping[str, Any]) -> dict[str, Any]:
    server, _ = _server()
    assert server.stdin is not None and server.stdout is not None
    print(json.dumps(question), file=server.stdin, flush=True)
    answer: dict[str, Any] = json.loads(server.stdout.readline())
    return answer


def _serve() -> None:
    """Answer questions, a line each, until nobody is there to ask."""
    own = sys.path.pop(0)  # the folder of this file
    assert own == str(Path(__file__).parent)
    sys.path[:] = [path for path in sys.path if path not in os.environ.get("PYTHONPATH", "")]
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            import_module(name)
    known: dict[int, int] = {}
    for text in sys.stdin:
        question = json.loads(text)
        if question["do"] == "start":
            pid = os.fork()
            if not pid:
                _become(question)
            answer = {"pid": pid}
        else:
            pid = question["pid"]
            if pid not in known:
                found, status = os.waitpid(pid, os.WNOHANG * (question["do"] == "poll"))
                if found:
                    known[pid] = os.waitstatus_to_exitcode(status)
            answer = {"ended": pid in known, "code": known.get(pid)}
        print(json.dumps(answer), flush=True)


def _become(asked: Mapping[str, Any]) -> None:
    """Be the process that was asked for, and end."""
    code = 1
    try:
        os.setsid()
        for place, name in enumerate(("/dev/null", "out", "err")):
            path = os.path.join(asked["told"], name)
            file = os.open(path, os.O_RDWR)
            os.dup2(file, place)
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(asked["env"])
        kind, what, *rest = asked["words"]
        sys.path[:0] = [asked["cwd"], *asked["env"]["PYTHONPATH"].split(os.pathsep)]
        sys.argv = [kind, *rest]
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        try:
            if kind == "-m":
                runpy.run_module(what, run_name="__main__", alter_sys=True)
            else:
                exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else int(left.code is not None)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        atexit._run_exitfuncs()
    finally:
        os._exit(code)


if __name__ == "__main__":
    _serve()
