"""`python -m crossfade` is the `crossfade` command."""

from crossfade.cli import main

main()
