"""What a call needs is loaded before one is admitted."""

import subprocess
import sys

import pytest

from tests.project import ROOT

# A process of its own: here everything is loaded already. The emulator is opened once before.
_PROGRAM = """
import sys, threading
from pathlib import Path
from crossfade.observability.virtual_time import run_virtual
from crossfade.pipelines.demo import demo_script
from crossfade.pipelines.native_call import prepare_native
from tests.pipelines.calls import MODEL, OpenAIEmulator, make_call

async def calls(folder, script):
    async with OpenAIEmulator():
        pass
    before = set(sys.modules)
    threads = {each.name for each in threading.enumerate()}
    await make_call(folder, script)
    print("loaded:", *sorted(set(sys.modules) - before))
    print("threads:", *sorted({each.name for each in threading.enumerate()} - threads))

prepare_native(MODEL)
run_virtual(calls(Path(sys.argv[1]), demo_script()))
"""


def test_the_first_call_loads_nothing_and_begins_no_thread_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    folder = tmp_path_factory.mktemp("calls")
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(folder)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    loaded, threads = done.stdout.splitlines()
    assert loaded == "loaded:"
    # Both serve the whole process; the one ends by itself when nobody's record is written.
    assert set(threads.split()[1:]) <= {"crossfade-disk", "crossfade-ends_0"}
