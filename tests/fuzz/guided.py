"""Fuzzing led by coverage: `python -m tests.fuzz.guided --wire openai --seconds 60`.

Needs atheris, which nothing else does: pip install --group fuzz.
"""

import argparse
import importlib
import importlib.util
import random
import sys
import tempfile
from pathlib import Path

_WIRES = ("gemini", "moshi", "openai")
# Between the messages of one input.
_SEPARATOR = b"\xff\xfe\xfd\xfc"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided", description=__doc__)
    parser.add_argument("--wire", choices=_WIRES, required=True)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        sys.stdout.write("atheris is not installed: no fuzzing led by coverage\n")
        return
    _fuzz(options.wire, options.seconds)


def _fuzz(wire: str, seconds: int) -> None:
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["crossfade.providers", "crossfade.conversation"]):
        target = importlib.import_module("tests.fuzz.target")

    def one_input(data: bytes) -> None:
        dice = random.Random(len(data))
        session = target.Target(wire, dice)
        for message in data.split(_SEPARATOR):
            session.receive(message)
            if dice.random() < 0.1:
                session.act()

    with tempfile.TemporaryDirectory() as folder:
        whole = target.corpus(wire)
        for at in range(0, len(whole), 8):
            seed = _SEPARATOR.join(whole[at : at + 16])
            (Path(folder) / f"seed_{at}").write_bytes(seed)
        # libFuzzer ends the process itself, and names the file of what it found.
        found = f"-artifact_prefix={tempfile.gettempdir()}/crossfade-{wire}-"
        atheris.Setup([sys.argv[0], folder, f"-max_total_time={seconds}", found], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
