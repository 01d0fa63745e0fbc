"""What `import crossfade.providers` loads, and what it does not."""

import subprocess
import sys

HEAVY = {"pipecat", "google", "openai", "livekit", "sphn", "numpy", "onnxruntime"}


def test_providers_load_nothing_heavy() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, crossfade.providers; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert "crossfade.providers.session" in loaded
    assert HEAVY.isdisjoint(name.partition(".")[0] for name in loaded)
