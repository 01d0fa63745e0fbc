"""Map the folders at the root to the one import package `crossfade`.

The folders are real and lie at the root; the links inside crossfade/ exist for type checkers only.
"""

from setuptools import find_packages, setup

PARTS = (
    "audio",
    "conversation",
    "providers",
    "frames",
    "processors",
    "transports",
    "pipelines",
    "observability",
    "offline",
    "emulators",
    "benchmarks",
    "examples",
)
found = [name for part in PARTS for name in find_packages(include=[part, f"{part}.*"])]

setup(
    packages=["crossfade", *(f"crossfade.{name}" for name in found)],
    package_dir={f"crossfade.{part}": part for part in PARTS},
    package_data={
        "": ["py.typed", "*.yaml", "*.json", "*.wav", "*.txt"],
        "crossfade.examples": ["audio/*"],
        "crossfade.observability": ["report_page/*"],
        "crossfade.pipelines.page": ["*.html", "*.js", "*.css", "*.svg"],
    },
    include_package_data=False,
)
