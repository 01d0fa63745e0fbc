"""Makes a test of a captured call."""

import os
import re
import shutil
from pathlib import Path

from crossfade.errors import SettingsError
from crossfade.observability.capture_file import capture_path

_TEST = '''\
"""A captured call, run again in virtual time: it must go as it went.

To try another prompt or other tools, give `replay` changes and tools. When the call is to go
another way from now on, say below what it should have done.
"""

from pathlib import Path

from crossfade.pipelines.replay_run import replay

CAPTURE = Path(__file__).with_name("{capture}")


def {function}(tmp_path: Path) -> None:
    replayed = replay(CAPTURE, tmp_path)
    assert not replayed.divergences, replayed.report()
'''


def write_test(run: Path, test: Path) -> Path:
    """Write a test file, and a copy of the capture beside it.

    Args:
        run: The capture, or the folder of its call.
        test: The test file, `test_*.py`; it must not exist.

    Returns:
        The copy, which holds all that was said: it is readable by its owner alone.

    Raises:
        SettingsError: The name is none of a test, or a file cannot be written.
    """
    if not re.fullmatch(r"test_\w+\.py", test.name):
        raise SettingsError(f"{test} is no name of a test; pytest looks for test_NAME.py")
    copy = test.with_name(f"{test.stem.removeprefix('test_')}.capture.jsonl")
    content = _TEST.format(capture=copy.name, function=test.stem.lower())
    for path in (test, copy):
        if path.exists():
            raise SettingsError(f"{path} exists; name another file, or remove it")
    try:
        descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as target, capture_path(run).open("rb") as source:
            shutil.copyfileobj(source, target)
        test.write_text(content, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{test}: cannot be written ({error.strerror})") from error
    return copy


__all__ = ["write_test"]
