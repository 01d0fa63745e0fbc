import asyncio
import os
from pathlib import Path

import pytest

from crossfade.errors import ProviderFault
from crossfade.offline.framing import Message
from crossfade.offline.worker import Worker, WorkerDied

pytestmark = pytest.mark.realtime

PROGRAM = """
import os, sys, time
from crossfade.offline.framing import Message, serve

heard = []

def answer(message):
    heard.append(message.head.get("say"))
    match message.head["say"]:
        case "die":
            print("no more of this", file=sys.stderr, flush=True)
            os._exit(3)
        case "die once":
            if not os.path.exists(message.head["mark"]):
                open(message.head["mark"], "w").close()
                os._exit(1)
        case "fail":
            raise ValueError("cannot do that")
        case "print":
            print("a library prints this to stdout")
        case "wait":
            time.sleep(0.05)
    return Message({"heard": heard, "pid": os.getpid()}, message.payload[::-1])

serve(answer)
"""


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "parrot.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def say(words: str, payload: bytes = b"", **more: str) -> Message:
    return Message({"say": words, **more}, payload)


def parrot() -> Worker:
    return Worker("parrot", "the parrot")


def test_each_question_gets_its_own_answer() -> None:
    async def main() -> None:
        worker = parrot()
        answers = await asyncio.gather(
            *(worker.ask(say("hello", bytes([n, n + 1]))) for n in range(10))
        )
        assert [answer.payload for answer in answers] == [bytes([n + 1, n]) for n in range(10)]
        assert len({answer.head["pid"] for answer in answers}) == 1
        await worker.close()

    asyncio.run(main())


def test_large_messages_pass_both_ways() -> None:
    async def main() -> None:
        worker = parrot()
        sound = os.urandom(3_000_000)
        assert (await worker.ask(say("hello", sound))).payload == sound[::-1]
        await worker.close()

    asyncio.run(main())


def test_what_libraries_print_does_not_disturb() -> None:
    async def main() -> None:
        worker = parrot()
        assert (await worker.ask(say("print", b"ab"))).payload == b"ba"
        await worker.close()

    asyncio.run(main())


def test_an_error_is_told_and_the_worker_stays() -> None:
    async def main() -> None:
        worker = parrot()
        first = await worker.ask(say("hello"))
        with pytest.raises(ProviderFault, match=r"the parrot failed: .*cannot do that"):
            await worker.ask(say("fail"))
        assert (await worker.ask(say("hello"))).head["pid"] == first.head["pid"]
        await worker.close()

    asyncio.run(main())


def test_death_is_told_with_code_and_last_words_and_the_next_question_starts_anew() -> None:
    async def main() -> None:
        worker = parrot()
        worker.setup = (say("set up"),)
        with pytest.raises(WorkerDied, match=r"code 3: no more of this"):
            await worker.ask(say("die"))
        assert (await worker.ask(say("hello"))).head["heard"] == ["set up", "hello"]
        await worker.close()

    asyncio.run(main())


def test_asking_again_survives_one_death_and_not_two(tmp_path: Path) -> None:
    async def main() -> None:
        worker = parrot()
        mark = str(tmp_path / "died")
        answer = await worker.ask_again(say("die once", b"ab", mark=mark))
        assert answer.payload == b"ba"
        with pytest.raises(WorkerDied):
            await worker.ask_again(say("die"))
        await worker.close()

    asyncio.run(main())


def test_a_cancelled_question_leaves_the_answers_in_order() -> None:
    async def main() -> None:
        worker = parrot()
        await worker.ask(say("hello"))
        given_up = asyncio.create_task(worker.ask(say("wait", b"old")))
        await asyncio.sleep(0)
        given_up.cancel()
        assert (await worker.ask(say("hello", b"new"))).payload == b"wen"
        with pytest.raises(asyncio.CancelledError):
            await given_up
        await worker.close()

    asyncio.run(main())


def test_telling_waits_for_nothing_and_disturbs_nothing() -> None:
    async def main() -> None:
        worker = parrot()
        worker.tell(say("too early"))
        await worker.ask(say("hello"))
        worker.tell(say("fail"))
        assert (await worker.ask(say("again"))).head["heard"] == ["hello", "fail", "again"]
        worker.tell(say("die"))
        with pytest.raises(WorkerDied):
            await worker.ask(say("hello"))
        await worker.close()

    asyncio.run(main())


def test_a_program_that_does_not_start_is_told() -> None:
    async def main() -> None:
        worker = Worker("no_such_program", "the parrot")
        with pytest.raises(WorkerDied, match="no_such_program"):
            await worker.ask(say("hello"))
        await worker.close()

    asyncio.run(main())


def test_close_ends_the_process_and_fails_what_is_open() -> None:
    async def main() -> None:
        worker = parrot()
        pid = (await worker.ask(say("hello"))).head["pid"]
        waiting = asyncio.gather(
            *(worker.ask(say("wait")) for _ in range(3)), return_exceptions=True
        )
        await asyncio.sleep(0)
        await worker.close()
        assert len(await waiting) == 3
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    asyncio.run(main())
