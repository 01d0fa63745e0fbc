import sys

from ..command import main

sys.exit(main(["openai", *sys.argv[1:]]))
