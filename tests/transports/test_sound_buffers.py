"""Sound between the loop and the card's thread."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.transports.sound_buffers import (
    MOST_HEARD_S,
    MOST_WAITING_S,
    START_S,
    HeardSound,
    PlayedSound,
)

RATE_HZ = 48000
BLOCK = 480
START = int(START_S * RATE_HZ)


def speech(samples: int, value: int = 1) -> bytes:
    return value.to_bytes(2, "little") * samples


def test_the_oldest_of_the_microphone_is_dropped_and_counted() -> None:
    heard = HeardSound(RATE_HZ)
    assert heard.put(speech(BLOCK, 1))
    assert not heard.put(speech(BLOCK, 2))
    for _ in range(100):
        heard.put(speech(BLOCK, 3))
    assert heard.dropped_samples == 2 * BLOCK
    assert heard.take() == speech(int(MOST_HEARD_S * RATE_HZ), 3)
    assert heard.take() == b""
    assert heard.put(b"")


def test_nothing_is_lost_between_two_threads() -> None:
    heard = HeardSound(8000)
    sent, got = bytes(range(256)) * 30, bytearray()

    def put() -> None:
        for at in range(0, len(sent), 2):
            heard.put(sent[at : at + 2])

    thread = threading.Thread(target=put)
    thread.start()
    while thread.is_alive():
        got += heard.take()
    thread.join()
    got += heard.take()
    assert bytes(got) == sent
    assert not heard.dropped_samples


def test_the_first_sound_comes_a_little_late_so_that_the_next_is_there_in_time() -> None:
    played = PlayedSound(RATE_HZ)
    assert played.fill(BLOCK, 0.0) == bytes(2 * BLOCK)
    played.add(speech(960))
    got = b"".join(played.fill(BLOCK, n / 100) for n in range(1, 8))
    assert got.index(b"\1") == 2 * START
    assert got.count(b"\1\0") == 960
    # Speech that flows on is not held up again, but after a pause it is.
    played.add(speech(BLOCK))
    played.fill(BLOCK // 2, 1.0)
    played.add(speech(BLOCK))
    assert played.fill(BLOCK, 1.1)[: 2 * START] == bytes(2 * BLOCK)


def test_the_position_is_that_of_the_ear() -> None:
    played = PlayedSound(RATE_HZ)
    played.add(speech(2 * BLOCK))
    for n in range(8):
        played.fill(BLOCK, 10 + n / 100)
    began_s = 10 + START_S
    assert played.played(began_s - 0.001) == 0
    assert played.played(began_s + 0.005) == pytest.approx(240, abs=1)
    assert played.played(began_s + 0.015) == pytest.approx(720, abs=1)
    assert played.played(began_s + 0.02) == 960
    assert played.played(began_s + 99) == 960


def test_what_was_cleared_is_never_played_nor_counted() -> None:
    played = PlayedSound(RATE_HZ)
    played.add(speech(100 * BLOCK))
    for n in range(10):
        played.fill(BLOCK, n / 100)
    played.clear()
    assert played.fill(BLOCK, 1.0) == bytes(2 * BLOCK)
    assert played.played(99.0) == 0


def test_what_the_card_does_not_take_is_bounded() -> None:
    played = PlayedSound(RATE_HZ)
    for _ in range(300):
        played.add(speech(BLOCK))
    assert played.dropped_samples == (300 - MOST_WAITING_S * 100) * BLOCK


@given(st.lists(st.integers(0, 2000), max_size=12), st.lists(st.integers(1, 700), max_size=40))
def test_each_sample_is_played_once_and_in_order(pieces: list[int], blocks: list[int]) -> None:
    played = PlayedSound(RATE_HZ)
    number, sent, got = 0, [], []
    for index in range(max(len(pieces), len(blocks))):
        if index < len(pieces):
            values = [1 + (number + n) % 30000 for n in range(pieces[index])]
            number += pieces[index]
            played.add(b"".join(value.to_bytes(2, "little") for value in values))
            sent += values
        if index < len(blocks):
            pcm = played.fill(blocks[index], float(index))
            assert len(pcm) == 2 * blocks[index]
            found = [int.from_bytes(pcm[at : at + 2], "little") for at in range(0, len(pcm), 2)]
            got += [value for value in found if value]
    assert got == sent[: len(got)]
    assert played.played(1e6) == len(got)
