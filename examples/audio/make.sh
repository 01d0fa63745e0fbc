#!/bin/sh
# Makes the caller's utterances beside this script. Needs flite and sox (Debian packages).
set -eu
cd "$(dirname "$0")"

# Spoken by flite's voice slt at 16 kHz; silence is cut at both ends, 100 ms are put at the end.
say() {
    flite -voice slt -t "$2" -o raw.wav
    sox -D raw.wav "$1" silence 1 0.005 0.2% reverse silence 1 0.005 0.2% pad 0.1 reverse
    rm raw.wav
}

say greeting.wav "hello there"
say weather_tokyo.wav "what is the weather in tokyo"
say enough.wav "thank you that is enough"
say goodbye.wav "goodbye"
