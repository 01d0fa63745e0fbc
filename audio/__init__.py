"""Sound as numbers: PCM, energy, resampling, voice activity, sound files.

Everywhere in Crossfade `pcm` means bytes of signed 16-bit little-endian samples, mono unless said.
"""
