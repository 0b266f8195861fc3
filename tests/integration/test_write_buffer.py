"""What attempts note for people and metrics: at once when little happens, together when much does, never in the way."""

import threading
from functools import partial

import redis

from local.redis import free_port
from stores.counters import Counters
from stores.threads import ThreadStates
from stores.write_buffer import GATHERED_SECONDS, WriteBuffer
from tests.waiting import wait_until


def threads(redis: "redis.Redis") -> ThreadStates:
    return ThreadStates(redis, Counters(redis))


def wait_for_timers() -> None:
    """Return when no timer is writing: one whose connection a test closes would write everything again."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join()


def test_a_note_alone_is_written_at_once_and_many_are_written_together(redis_client: "redis.Redis") -> None:
    write_buffer = WriteBuffer(redis_client, threads(redis_client))
    write_buffer.put(lambda pipeline: pipeline.rpush("log", 0))
    assert redis_client.llen("log") == 1
    before = redis_client.info("stats")["total_reads_processed"]  # type: ignore[index]
    for number in range(1, 500):
        write_buffer.put(partial(lambda number, pipeline: pipeline.rpush("log", number), number))
    wait_until(lambda: redis_client.llen("log") == 500, what="all notes", interval=GATHERED_SECONDS)
    wait_for_timers()
    assert redis_client.lrange("log", 0, -1) == [str(number).encode() for number in range(500)]
    assert redis_client.info("stats")["total_reads_processed"] - before < 100  # type: ignore[index]


def test_what_is_gathered_is_written_when_the_process_ends(redis_client: "redis.Redis") -> None:
    write_buffer = WriteBuffer(redis_client, threads(redis_client))
    for number in range(3):
        write_buffer.put(partial(lambda number, pipeline: pipeline.rpush("log", number), number))
    write_buffer.flush()
    wait_for_timers()
    assert redis_client.llen("log") == 3


def test_a_redis_that_is_away_is_no_error_of_the_attempt() -> None:
    away = redis.Redis(port=free_port())
    WriteBuffer(away, threads(away)).put(lambda pipeline: pipeline.rpush("log", 1))


def test_a_note_that_cannot_be_written_takes_no_other_with_it_and_is_counted(redis_client: "redis.Redis") -> None:
    write_buffer = WriteBuffer(redis_client, threads(redis_client))
    write_buffer.put(lambda pipeline: pipeline.rpush("log", 0))
    for note in (1, "\ud800", 2):  # a lone surrogate is no UTF-8
        write_buffer.put(partial(lambda note, pipeline: pipeline.rpush("log", note), note))
    write_buffer.flush()
    assert redis_client.lrange("log", 0, -1) == [b"0", b"1", b"2"]
    assert redis_client.hget("mf:counters", "threads|write buffer") == b"1"
