"""Frames as a Moshi server writes them, and sound to put into them."""

import struct
from collections.abc import Sequence

import numpy as np

RATE_HZ = 24000
FRAME_SAMPLES = 1920
PYTHON_HANDSHAKE = b"\x00"
RUST_HANDSHAKE = b"\x00" + struct.pack("<II", 0, 7)


def silence(ms: int = 80) -> bytes:
    return bytes(2 * RATE_HZ * ms // 1000)


def speech(ms: int = 80, level: float = 0.3) -> bytes:
    """A tone whose RMS lies 3 dB under `level`."""
    at = np.arange(RATE_HZ * ms // 1000)
    return bytes((level * 32767 * np.sin(2 * np.pi * 400 * at / RATE_HZ)).astype("<i2"))


def audio(content: bytes) -> bytes:
    return b"\x01" + content


def text(piece: str) -> bytes:
    return b"\x02" + piece.encode()


def metadata(content: bytes) -> bytes:
    return b"\x04" + content


def error(reason: str) -> bytes:
    return b"\x05" + reason.encode()


class RawCodec:
    """A codec whose code is the sound itself."""

    def encode(self, pcm: bytes) -> bytes:
        return pcm

    def decode(self, data: bytes) -> bytes:
        if len(data) % 2:
            raise ValueError("half a sample")
        return data


def ogg_page(
    packets: Sequence[bytes],
    *,
    number: int = 0,
    flags: int = 0,
    serial: int = 42,
    lengths: bytes | None = None,
) -> bytes:
    """A page that holds `packets`, unless `lengths` says otherwise. Source: RFC 3533, 6.

    Its checksum is 0: the decoder looks at none.
    """
    if lengths is None:
        lengths = b"".join(
            b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets
        )
    head = b"OggS" + struct.pack("<BBqIII", 0, flags, 0, serial, number, 0)
    return head + bytes([len(lengths)]) + lengths + b"".join(packets)
