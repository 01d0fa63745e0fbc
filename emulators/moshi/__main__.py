import sys

from ..command import main

sys.exit(main(["moshi", *sys.argv[1:]]))
