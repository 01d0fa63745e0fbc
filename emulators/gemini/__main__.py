import sys

from ..command import main

sys.exit(main(["gemini", *sys.argv[1:]]))
