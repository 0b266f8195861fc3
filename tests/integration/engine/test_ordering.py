"""The engine's promises (ordering/__init__.py), each with tests that can break it."""

from datetime import timedelta

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from messages import NOTHING, Message
from ordering import (
    Done,
    Failed,
    Held,
    LeaseLost,
    Ordering,
    Pause,
    Release,
    Retry,
    Skipped,
    TargetUnavailable,
    UnknownLayout,
)
from tests.integration.engine.conftest import Line, why

SECOND = timedelta(seconds=1)


# 1. At most one live transfer per ordering key; a holder whose lease lapsed can change nothing.


def test_only_the_first_event_of_a_key_may_be_claimed(line: Line) -> None:
    line.publish("a")
    line.publish("b")
    assert line.released() == ["a"]
    assert line.ordering.claim("acme", "b") is None
    line.run("a")
    assert line.released() == ["b"]


def test_an_event_is_claimed_by_one_holder_only(line: Line) -> None:
    line.publish("a")
    line.claim("a")
    assert line.ordering.claim("acme", "a") is None


def test_a_holder_whose_lease_lapsed_can_change_nothing(line: Line) -> None:
    line.publish("a")
    zombie = line.claim("a")
    line.passes(seconds=30.001)
    with pytest.raises(LeaseLost):
        line.ordering.record(zombie, "created", "1")
    with pytest.raises(LeaseLost):
        line.settle(zombie, Done())
    assert not line.ordering.renew(zombie)
    line.pump()
    holder = line.claim("a")
    assert holder.fence != zombie.fence
    with pytest.raises(LeaseLost):
        line.settle(zombie, Failed(why("late")))
    line.settle(holder, Done())
    assert line.status("a") == "done"


def test_a_renewed_lease_does_not_lapse(line: Line) -> None:
    line.publish("a")
    claim = line.claim("a")
    for _ in range(5):
        line.passes(seconds=29)
        assert line.ordering.renew(claim)
        line.pump()
    line.settle(claim, Done())
    assert line.status("a") == "done"


def test_a_retried_failed_event_waits_while_a_later_one_of_its_key_runs(line: Line) -> None:
    line.publish("a", "invoice/1")
    line.run("a", Failed(why("no")))
    line.publish("b", "invoice/1")
    later = line.claim("b")
    line.ordering.retry("acme", "a")
    assert line.ordering.claim("acme", "a") is None
    line.settle(later, Done())
    line.run("a")


# 2. Order per key survives retries, back-off, crashes, redelivery and restarts.


def test_later_events_wait_while_the_first_is_retried(line: Line) -> None:
    line.publish("a")
    line.publish("b")
    line.run("a", Retry(10 * SECOND, why("timeout")))
    assert line.status("a") == "retrying"
    assert line.ordering.claim("acme", "b") is None
    line.passes(seconds=9.999)
    line.pump()
    assert line.ordering.claim("acme", "a") is None
    line.passes(seconds=0.001)
    line.pump()
    line.run("a")
    line.run("b")


def test_a_crashed_event_is_taken_up_again_before_its_successors(line: Line) -> None:
    line.publish("a")
    line.publish("b")
    line.claim("a")
    line.passes(seconds=31)
    line.pump()
    assert line.ordering.claim("acme", "b") is None
    line.run("a")
    line.run("b")


def test_steps_recorded_by_a_crashed_holder_are_given_to_the_next(line: Line) -> None:
    line.publish("a")
    line.ordering.record(line.claim("a"), "created", "1001")
    line.passes(seconds=31)
    line.pump()
    assert line.claim("a").progress == {"created": "1001"}


def test_an_event_whose_holder_dies_three_times_is_set_aside_and_its_key_goes_on(line: Line) -> None:
    line.publish("a")
    line.publish("b")
    for process in ("w1/11", "w1/12", "w2/11"):
        assert line.ordering.claim("acme", "a", process) is not None
        line.woken += line.ordering.died("acme", "a", process)
    assert line.status("a") == "failed"
    assert line.reason("a") == Message("engine.process-died", n=3)
    line.run("b")


def test_the_death_of_another_process_frees_nothing(line: Line) -> None:
    line.publish("a")
    holder = line.ordering.claim("acme", "a", "w1/11")
    assert holder is not None
    assert line.ordering.died("acme", "a", "w1/12") == ()
    assert line.ordering.claim("acme", "a", "w1/12") is None
    line.settle(holder, Done())


def test_leases_that_lapse_set_an_event_aside_later_as_the_machines_may_be_to_blame(line: Line) -> None:
    line.publish("a")
    for lapsed in range(10):
        assert line.status("a") == "ready", lapsed
        line.claim("a")
        line.passes(seconds=31)
        line.pump()
    assert line.status("a") == "failed"
    assert line.reason("a") == Message("engine.worker-lost", n=10)


def test_an_earlier_event_that_was_retried_meanwhile_starts_when_the_later_one_is_held(line: Line) -> None:
    line.publish("a", "invoice/1")
    line.run("a", Failed(why("no")))
    line.publish("b", "invoice/1", needs=["customer/1"])
    later = line.claim("b")
    line.ordering.retry("acme", "a")
    line.settle(later, Held("acme/customer/1", why("unknown customer")))
    line.run("a")
    line.publish("customer")
    line.run("customer")
    line.run("b")


def test_an_older_snapshot_retried_while_a_newer_one_runs_is_not_applied_after_it(line: Line) -> None:
    line.publish("a", snapshot=True)
    line.run("a", Failed(why("no")))
    line.publish("b", snapshot=True)
    newer = line.claim("b")
    line.ordering.retry("acme", "a")
    line.settle(newer, Done())
    assert line.status("a") == "superseded"


def test_a_retried_snapshot_with_the_higher_sequence_runs_though_a_later_one_went_through(line: Line) -> None:
    line.publish("a", snapshot=True, sequence=7)
    line.run("a", Failed(why("no")))
    line.publish("b", snapshot=True, sequence=6)
    line.run("b")
    assert line.ordering.retry("acme", "a")[0] == "ready"
    line.run("a")


def test_what_is_under_way_is_known_longer_than_what_is_remembered_of_its_key(line: Line, redis: Redis) -> None:
    line.publish("a", "invoice/1")
    line.run("a")
    line.publish("b", "invoice/1")
    for key in redis.scan_iter("mf:key:acme/invoice/1"):
        redis.delete(key)  # as when its time is over, while the company is paused for months
    line.publish("c", "invoice/1")
    line.claim("b")
    assert line.ordering.claim("acme", "c") is None
    assert redis.pttl("mf:key-active:acme/invoice/1") == -1


# 3. Nothing accepted is lost; nothing settled runs again; the same event id is accepted once.


def test_an_event_id_is_accepted_once_even_after_it_is_done(line: Line) -> None:
    assert line.publish("a")
    assert not line.publish("a")
    line.run("a")
    assert not line.publish("a")
    assert line.ordering.counts("acme")["done"] == 1


@pytest.mark.parametrize("suffix", ["settled", "line", "failed", "active", "held", "waiters", "refused"])
def test_a_number_that_ends_like_a_name_of_the_engines_own_is_a_number_like_any_other(line: Line, suffix: str) -> None:
    for number in ("1", f"1:{suffix}", f"{suffix}:1"):
        line.publish(f"e-{number}", f"customer/{number}", snapshot=True)
        line.publish(f"i-{number}", f"invoice/{number}", needs=[f"customer/{number}"])
    for number in (f"1:{suffix}", f"{suffix}:1", "1"):
        line.run(f"e-{number}", Failed(why("no")))
        assert line.status(f"i-{number}") == "held"
        line.ordering.retry("acme", f"e-{number}")
        line.run(f"e-{number}")
        line.passes(seconds=1)
        line.run(f"i-{number}", Held(f"acme/customer/{number}", why("it is not there")))
        line.publish(f"again-{number}", f"customer/{number}", snapshot=True)
        line.run(f"again-{number}")
        line.run(f"i-{number}")
        assert sorted(line.ordering.of_key(f"acme/customer/{number}")) == [
            ("acme", f"again-{number}"),
            ("acme", f"e-{number}"),
        ]


def test_an_event_that_cannot_be_written_whole_is_not_accepted_at_all(line: Line, redis: Redis) -> None:
    line.publish("first")
    before = {key: redis.dump(key) for key in redis.scan_iter("mf:*")}
    for name in ("key:acme/customer/2", "key-line:acme/customer/2", "key-failed:acme/customer/2"):
        redis.set(f"mf:{name}", "something else")
        with pytest.raises(ResponseError, match="WRONGTYPE mf:key"):
            line.publish("second", "customer/2")
        redis.delete(f"mf:{name}")
        assert {key: redis.dump(key) for key in redis.scan_iter("mf:*")} == before
    assert line.publish("second", "customer/2")


def test_event_ids_are_a_companys_own(line: Line) -> None:
    assert line.publish("a")
    assert line.publish("a", company="other")


def test_a_settled_event_is_not_claimed_again(line: Line) -> None:
    line.publish("a")
    line.run("a")
    assert line.ordering.claim("acme", "a") is None


def test_a_wakeup_that_nobody_answered_is_repeated(line: Line) -> None:
    line.publish("a")
    assert line.released() == ["a"]
    line.passes(seconds=3)
    line.pump()
    assert line.released() == []
    line.passes(seconds=1)
    line.pump()
    assert line.released() == ["a"]


def test_a_wakeup_is_repeated_ever_less_often_as_it_may_stand_in_a_long_queue(line: Line) -> None:
    line.publish("a")
    assert line.released() == ["a"]
    repeated = []
    for second in range(200):
        line.pump()
        repeated += [second] * len(line.released())
        line.passes(seconds=1)
    assert repeated == [4, 12, 28, 60, 124, 188]
    line.run("a", Release())
    assert line.released() == ["a"]
    line.passes(seconds=4)
    line.pump()
    assert line.released() == ["a"]


def test_a_refused_event_is_kept_whole_as_failed(line: Line) -> None:
    line.publish("a", "invalid/a", refused=why("type: is missing"), refused_remedy=why("Mend it."))
    assert line.status("a") == "failed"
    assert line.reason("a") == why("type: is missing")
    assert line.ordering.body("acme", "a") == '{"id":"a"}'
    assert [one[:2] for one in line.ordering.unreported()] == [("acme", "a")]


def test_a_settled_event_is_forgotten_after_its_retention_but_a_failed_one_never(line: Line, redis: Redis) -> None:
    line.publish("a")
    line.publish("b", "customer/2")
    line.run("a")
    line.run("b", Failed(why("no")))
    assert 0 < redis.pttl("mf:event:acme:a") <= timedelta(days=90).total_seconds() * 1000  # type: ignore[operator]
    assert redis.pttl("mf:event:acme:b") == redis.pttl("mf:body:acme:b") == -1


def test_a_skipped_event_that_is_retried_goes_on_from_the_steps_it_took(line: Line) -> None:
    line.publish("a", "invoice/1")
    claim = line.claim("a")
    line.ordering.record(claim, "created", "1001")
    line.settle(claim, Retry(SECOND, why("timeout")))
    assert line.ordering.skip("acme", "a", why("not now"))[0]
    line.ordering.retry("acme", "a")
    assert line.claim("a").progress == {"created": "1001"}


def test_a_done_event_with_something_left_out_is_kept_and_can_be_run_again_from_its_steps(
    line: Line, redis: Redis
) -> None:
    line.publish("a", "invoice/1")
    line.publish("credit", "invoice/2", needs=("invoice/1",))
    claim = line.claim("a")
    line.ordering.record(claim, "created", "1001")
    line.settle(claim, Done(why("a file is missing"), why("send it"), again=True))
    assert line.status("credit") == "ready"
    assert 0 < redis.pttl("mf:body:acme:a") <= timedelta(days=90).total_seconds() * 1000  # type: ignore[operator]
    assert line.ordering.retry("acme", "a")[0] == "ready"
    assert redis.pttl("mf:body:acme:a") == redis.pttl("mf:progress:acme:a") == -1
    again = line.claim("a")
    assert (again.progress, again.body) == ({"created": "1001"}, '{"id":"a"}')
    line.settle(again, Done())
    assert line.ordering.retry("acme", "a")[0] == ""
    assert line.ordering.body("acme", "a") is None


def test_a_done_event_with_only_a_remark_does_not_run_again(line: Line) -> None:
    line.publish("a")
    line.run("a", Done(why("the rate was taken from the register")))
    assert line.ordering.retry("acme", "a")[0] == ""


# 4. A prerequisite's earlier events are through, or the event waits; if one failed, it is held until that is mended.


def test_an_invoice_waits_for_earlier_events_of_what_it_needs_but_not_for_later_ones(line: Line) -> None:
    line.publish("customer")
    line.publish("invoice", "invoice/1", needs=["customer/1", "project/1"])
    line.publish("project", "project/1")
    assert line.status("invoice") == "waiting"
    line.run("customer")
    assert line.status("invoice") == "ready"


def test_an_invoice_is_held_behind_a_failed_customer_and_goes_on_when_that_is_retried(line: Line) -> None:
    line.publish("customer")
    line.publish("invoice", "invoice/1", needs=["customer/1"])
    line.run("customer", Failed(why("bad name")))
    assert line.status("invoice") == "held"
    line.ordering.retry("acme", "customer")
    line.run("customer")
    line.run("invoice")


def test_a_held_invoice_goes_on_when_a_newer_event_of_the_customer_succeeds(line: Line) -> None:
    line.publish("customer")
    line.run("customer", Failed(why("bad name")))
    line.publish("invoice", "invoice/1", needs=["customer/1"])
    assert line.status("invoice") == "held"
    line.publish("mended")
    line.run("mended")
    line.run("invoice")


def test_skipping_a_failed_event_releases_what_it_held(line: Line) -> None:
    line.publish("customer")
    line.publish("invoice", "invoice/1", needs=["customer/1"])
    line.run("customer", Failed(why("bad name")))
    assert line.ordering.skip("acme", "customer", why("not wanted"))[0]
    assert line.status("customer") == "skipped"
    line.run("invoice")


def test_an_event_refused_for_its_prerequisite_waits_for_that_keys_next_success(line: Line) -> None:
    line.publish("invoice", "invoice/1", needs=["customer/1"])
    line.run("invoice", Held("acme/customer/1", why("unknown customer")))
    assert line.status("invoice") == "held"
    assert [one[:2] for one in line.ordering.unreported()] == [("acme", "invoice")]
    line.publish("customer")
    line.run("customer")
    line.run("invoice")


def test_an_event_is_not_held_when_its_prerequisite_went_through_meanwhile(line: Line) -> None:
    line.publish("invoice", "invoice/1", needs=["customer/1"])
    claim = line.claim("invoice")
    line.publish("customer")
    line.run("customer")
    line.settle(claim, Held("acme/customer/1", why("unknown customer")))
    assert line.status("invoice") == "ready"


def test_a_thousand_waiters_are_released_though_one_call_looks_at_two_hundred(line: Line) -> None:
    line.publish("customer")
    for number in range(1000):
        line.publish(f"i{number}", f"invoice/{number}", needs=["customer/1"])
    line.run("customer")
    assert line.ordering.counts("acme")["ready"] == 200
    for _ in range(4):
        line.pump()
    assert line.ordering.counts("acme")["ready"] == 1000


def test_what_is_refused_for_a_key_without_events_goes_on_in_order_when_that_is_reopened(line: Line) -> None:
    for number in (1, 2, 3):
        line.publish(f"c{number}", f"customer/{number}")
        line.run(f"c{number}", Held("acme/access/customers", why("no licence")))
    line.publish("later", "customer/1")
    line.publish("project", "project/1")
    line.run("project")  # other kinds go on
    assert [line.status(event) for event in ("c1", "c2", "c3", "later")] == ["held", "held", "held", "waiting"]
    line.released()
    line.woken += line.ordering.reopen("acme", "acme/access/customers")
    assert line.released() == ["c1", "c2", "c3"]
    line.run("c1")
    assert line.released() == ["later"]


def test_what_is_reopened_while_it_was_being_refused_is_tried_again_at_once(line: Line) -> None:
    line.publish("c1")
    claim = line.claim("c1")
    line.passes(seconds=1)
    line.ordering.reopen("acme", "acme/access/customers")
    line.settle(claim, Held("acme/access/customers", why("no licence")))
    line.run("c1")


def test_a_person_is_told_of_a_held_event_only_where_that_is_news(line: Line) -> None:
    line.publish("c1")
    line.run("c1", Held("acme/access/customers", why("no licence"), tell=False))
    assert line.ordering.unreported() == []
    assert not line.ordering.is_unreported("acme", "c1")
    line.publish("c2", "customer/2")
    line.run("c2", Held("acme/access/customers", why("no licence")))
    assert [one[:2] for one in line.ordering.unreported()] == [("acme", "c2")]
    assert line.ordering.is_unreported("acme", "c2")


def test_a_refused_event_is_not_tried_again_before_its_prerequisite_went_through(line: Line) -> None:
    line.publish("invoice", "invoice/1", needs=["customer/1"])
    line.run("invoice", Held("acme/customer/1", why("unknown customer")))
    line.publish("older", snapshot=True)
    line.publish("newer", snapshot=True)  # supersedes the older one
    assert line.status("invoice") == "held"
    line.run("newer", Failed(why("bad name")))
    assert line.status("invoice") == "held"
    line.ordering.skip("acme", "newer", why("not wanted"))
    assert line.status("invoice") == "held"
    line.publish("newest", snapshot=True)
    line.run("newest")
    line.run("invoice")


# 5. Only snapshots not yet started are superseded.


def test_a_newer_snapshot_supersedes_one_that_has_not_started(line: Line) -> None:
    line.publish("a", snapshot=True)
    line.publish("b", snapshot=True)
    assert line.status("a") == "superseded"
    assert line.reason("a") == Message("engine.superseded", by="b")
    line.run("b")


def test_a_started_snapshot_is_not_superseded(line: Line) -> None:
    line.publish("a", snapshot=True)
    line.run("a", Retry(SECOND, why("timeout")))
    line.publish("b", snapshot=True)
    assert line.status("a") == "retrying"
    assert line.status("b") == "waiting"


def test_invoices_are_never_superseded(line: Line) -> None:
    line.publish("a", "invoice/1")
    line.publish("b", "invoice/1")
    assert line.status("a") == "ready"


def test_who_waited_for_a_superseded_snapshot_waits_for_the_one_that_took_its_place(line: Line) -> None:
    line.publish("blocker", "integration")
    line.publish("a", snapshot=True, needs=["integration"])
    line.publish("invoice", "invoice/1", needs=["customer/1"])
    line.publish("b", snapshot=True, needs=["integration"])
    line.run("blocker")
    assert line.status("invoice") == "waiting"
    line.run("b")
    assert line.status("invoice") == "ready"


def test_a_snapshot_with_a_lower_sequence_than_the_last_applied_is_stale(line: Line) -> None:
    line.publish("a", snapshot=True, sequence=7)
    line.run("a")
    line.publish("b", snapshot=True, sequence=6)
    assert line.status("b") == "superseded"
    assert line.reason("b") == Message("engine.stale-sequence", sequence="6", applied="7")


def test_a_person_is_told_once_a_day_of_updates_that_their_sequence_alone_supersedes(line: Line) -> None:
    def told() -> list[str]:
        found = line.ordering.unreported()
        line.ordering.reported(*found)
        return [f"{one.company}:{one.id}" for one in found]

    for company in ("acme", "beta"):
        for number in (1, 2):
            line.publish(f"a{number}", f"customer/{number}", company=company, snapshot=True, sequence=2**53 - 1)
            line.run(f"a{number}", company=company)
    line.publish("b1", "customer/1", snapshot=True, sequence=7)
    line.publish("b2", "customer/2", snapshot=True, sequence=7)
    line.publish("b1", "customer/1", snapshot=True, sequence=7, company="beta")
    record = line.ordering.event("acme", "b1")
    assert record is not None
    assert (record.status, record.reason.key, record.remedy.key) == (
        "superseded",
        "engine.stale-sequence",
        "engine.send-without-sequence",
    )
    assert told() == ["acme:b1", "beta:b1"]
    line.passes(hours=24)
    line.publish("c1", "customer/1", snapshot=True, sequence=8)
    line.publish("c2", "customer/2", snapshot=True, sequence=8)
    assert told() == ["acme:c1"]
    line.publish("d", "customer/1", snapshot=True)
    line.run("d")  # as the remedy says


def test_an_update_that_is_older_by_its_place_too_is_no_news(line: Line) -> None:
    line.publish("a", snapshot=True, sequence=6)
    line.run("a", Failed(why("no")))
    line.publish("b", snapshot=True, sequence=7)
    line.run("b")
    line.ordering.retry("acme", "a")
    assert line.reason("a") == Message("engine.stale-sequence", sequence="6", applied="7")
    assert line.ordering.unreported() == []


def test_a_sequence_that_jumps_is_accepted_with_a_remark_that_is_told_once_a_day(line: Line) -> None:
    for number in (1, 2, 3):
        line.publish(f"a{number}", f"customer/{number}", snapshot=True, sequence=7)
        line.run(f"a{number}")
    line.publish("b1", "customer/1", snapshot=True, sequence=1_000_000_007)  # as high as is thinkable
    line.run("b1")
    assert line.reason("b1") == NOTHING
    line.publish("b2", "customer/2", snapshot=True, sequence=1_000_000_008)
    line.run("b2")
    line.publish("b3", "customer/3", snapshot=True, sequence=2**53 - 1)
    line.run("b3", Done(why("a file is missing")))
    assert line.reason("b2") == Message("engine.sequence-jump", sequence="1000000008", applied="7")
    assert line.reason("b3") == Message.join(
        why("a file is missing"), Message("engine.sequence-jump", sequence=str(2**53 - 1), applied="7")
    )
    assert [one.id for one in line.ordering.unreported()] == ["b2", "b3"]  # the latter for its file
    line.publish("c1", "customer/1", snapshot=True, sequence=2**53 - 1)
    line.run("c1")
    assert line.reason("c1").key == "engine.sequence-jump"
    assert len(line.ordering.unreported()) == 2


def test_an_invalid_event_gives_way_to_a_valid_one_with_its_id_and_to_nothing_else(line: Line) -> None:
    line.publish("a", "invalid/1", refused=why("no name"))
    assert not line.publish("a", "invalid/2", refused=why("no name either"))
    assert line.ordering.counts("acme")["failed"] == 1
    assert line.publish("a", "customer/1")
    line.run("a")
    assert line.status("a") == "done"
    assert line.ordering.unreported() == []
    assert {status: n for status, n in line.ordering.counts("acme").items() if n} == {"done": 1}
    assert not line.publish("a", "customer/1")


@pytest.mark.parametrize("unit", [1, 1000], ids=["ms", "µs"])
def test_a_time_as_sequence_may_rise_by_months_but_not_into_the_future(line: Line, unit: int) -> None:
    month = 30 * 24 * 3600 * 1000
    for event_id, at in (("a", line.now - 3 * month), ("b", line.now)):
        line.publish(event_id, snapshot=True, sequence=at * unit)
        line.run(event_id)
    assert line.reason("b") == NOTHING
    line.publish("c", snapshot=True, sequence=(line.now + month) * unit)
    line.run("c")
    assert line.reason("c").key == "engine.sequence-jump"


def test_a_counter_that_becomes_a_time_has_jumped(line: Line) -> None:
    line.publish("a", snapshot=True, sequence=7)
    line.run("a")
    line.publish("b", snapshot=True, sequence=line.now)
    line.run("b")
    assert line.reason("b").key == "engine.sequence-jump"


def test_a_snapshot_with_a_lower_sequence_does_not_supersede_a_newer_one(line: Line) -> None:
    line.publish("a", snapshot=True, sequence=7)
    line.publish("b", snapshot=True, sequence=6)
    assert line.status("b") == "superseded"
    line.run("a")


def test_retrying_a_failed_snapshot_whose_newer_one_went_through_supersedes_it(line: Line) -> None:
    line.publish("a", snapshot=True)
    line.run("a", Failed(why("no")))
    line.publish("b", snapshot=True)
    line.run("b")
    assert line.ordering.retry("acme", "a")[0] == "superseded"


def test_retrying_a_failed_invoice_whose_newer_one_went_through_runs_it(line: Line) -> None:
    line.publish("a", "invoice/1")
    line.run("a", Failed(why("no")))
    line.publish("b", "invoice/1")
    line.run("b")
    assert line.ordering.retry("acme", "a")[0] == "ready"
    line.run("a")


def test_a_newer_snapshot_does_not_overtake_what_it_needs_and_was_admitted_in_between(line: Line) -> None:
    line.publish("disabled", "integration", control=True)
    line.publish("a", snapshot=True, needs=["integration"])
    line.publish("enabled", "integration", control=True)
    line.publish("b", snapshot=True, needs=["integration"])
    line.run("disabled")
    line.run("a", Skipped(why("disabled")))
    assert line.status("b") == "waiting"
    line.run("enabled")
    line.run("b")


# 6. A company has at most `release_limit` transfers released; one that rests or is paused occupies no slot.


def test_a_company_has_at_most_so_many_transfers_released(line: Line) -> None:
    for number in range(10):
        line.publish(f"c{number}", f"customer/{number}")
    assert line.released() == ["c0", "c1", "c2"]
    line.run("c1")
    assert line.released() == ["c3"]


def test_a_throttled_event_gives_its_slot_back_and_goes_on_first_when_there_is_room(line: Line) -> None:
    for number in range(5):
        line.publish(f"c{number}", f"customer/{number}")
    throttled, other = line.claim("c0"), line.claim("c1")
    line.released()
    line.settle(throttled, Release(2 * SECOND))
    line.settle(other, Release(SECOND))
    assert line.released() == []
    assert line.ordering.claim("acme", "c2") is None  # its wake-up comes while the company rests
    line.passes(seconds=1)
    line.pump()
    assert line.released() == []
    line.passes(seconds=1)
    line.pump()
    assert line.released() == ["c0", "c1", "c2"]
    assert line.claim("c0").attempts == 0


def test_a_control_event_that_finds_the_company_must_pause_fails_itself(line: Line) -> None:
    line.publish("a")
    line.publish("control", "integration", control=True)
    line.run("control", Pause(why("the code is used")))
    assert line.ordering.paused("acme") == why("the code is used")
    assert line.status("control") == "failed"
    assert line.ordering.claim("acme", "a") is None


def test_a_paused_company_accepts_but_releases_nothing_until_it_is_resumed(line: Line) -> None:
    line.publish("a")
    line.publish("b", "customer/2")
    line.run("a", Pause(why("the grant is dead")))
    line.released()
    assert [one[:2] for one in line.ordering.unreported()] == [("acme", "")]
    assert line.ordering.claim("acme", "b") is None
    line.publish("c", "customer/3")
    line.publish("control", "integration", control=True)
    assert line.released() == ["control"]
    line.run("control")
    line.woken += line.ordering.resume("acme")
    assert line.released() == ["a", "b", "c"]


def test_a_companys_rest_does_not_touch_another(line: Line) -> None:
    line.publish("a")
    line.run("a", Release(60 * SECOND))
    line.publish("a", company="other")
    line.run("a", company="other")


def test_troubles_of_several_events_open_the_breaker_and_then_one_probe_goes(line: Line) -> None:
    for number in range(6):
        line.publish(f"c{number}", f"customer/{number}")
    for number in range(3):
        line.run(f"c{number}", TargetUnavailable(600 * SECOND, why("503")))
    assert line.ordering.resting("acme")
    assert line.released()[-2:] == ["c3", "c4"]  # woken before the third failed
    line.passes(seconds=5)
    line.pump()
    assert line.ordering.claim("acme", "c3") is None
    line.run("c4", TargetUnavailable(600 * SECOND, why("503")))  # the last of those woken is the probe
    record = line.ordering.event("acme", "c4")
    assert record is not None
    assert record.attempts == 0  # a probe's failure is not the event's
    line.passes(seconds=9)
    line.pump()
    assert line.ordering.claim("acme", "c3") is None
    line.released()
    line.passes(seconds=1)
    line.pump()
    assert line.released() == ["c3"]
    line.run("c3")
    assert line.released() == ["c5"]


def test_troubles_of_one_event_alone_do_not_stop_the_company(line: Line) -> None:
    line.publish("poison")
    for _ in range(10):
        line.run("poison", TargetUnavailable(SECOND, why("500")))
        line.passes(seconds=1)
        line.pump()
    assert not line.ordering.resting("acme")


def test_a_stale_snapshot_that_sets_another_going_also_releases_it(line: Line) -> None:
    line.publish("integration", "integration", control=True)
    for number in range(201):  # one more than a call looks at: the last, `newer`, is put off
        line.publish(f"p{number}", f"project/{number}", snapshot=True, needs=["integration"])
    line.publish("newer", snapshot=True, sequence=7, needs=["integration"])
    line.run("integration", Skipped(why("no")))
    for number in range(200):
        line.ordering.skip("acme", f"p{number}", why("not wanted"))
    line.released()
    line.publish("stale", snapshot=True, sequence=6, needs=["integration"])
    assert line.status("stale") == "superseded"
    assert line.released() == ["newer"]


# What people do


def test_a_skipped_outcome_is_kept_with_its_reason_and_can_be_retried(line: Line) -> None:
    line.publish("a")
    line.run("a", Skipped(why("switched off")))
    assert (line.status("a"), line.reason("a")) == ("skipped", why("switched off"))
    assert line.ordering.retry("acme", "a")[0] == "ready"
    line.run("a")


def test_a_running_or_settled_event_cannot_be_skipped(line: Line) -> None:
    line.publish("a")
    claim = line.claim("a")
    assert not line.ordering.skip("acme", "a", why("no"))[0]
    line.settle(claim, Done())
    assert not line.ordering.skip("acme", "a", why("no"))[0]


def test_a_mended_failure_is_no_longer_to_be_told(line: Line) -> None:
    line.publish("a")
    line.run("a", Failed(why("no")))
    assert [one[:2] for one in line.ordering.unreported()] == [("acme", "a")]
    line.ordering.retry("acme", "a")
    assert line.ordering.unreported() == []


def test_the_next_due_time_is_told_so_that_nobody_has_to_scan(line: Line) -> None:
    assert line.pump() is None
    line.publish("a")
    line.run("a", Retry(3 * SECOND, why("timeout")))
    assert line.pump() == 3 * SECOND


def test_state_of_another_layout_version_is_refused_with_what_to_do(redis: Redis) -> None:
    ordering = Ordering(redis)
    ordering.check_layout()
    redis.set("mf:layout", "99")
    with pytest.raises(UnknownLayout, match="layout version 99"):
        ordering.check_layout()


def test_an_emptied_queue_leaves_only_what_is_remembered(line: Line, redis: Redis) -> None:
    line.publish("customer", snapshot=True)
    line.publish("invoice", "invoice/1", needs=["customer/1"])
    line.run("customer")
    line.run("invoice")
    left = {str(key).split(":")[1] for key in redis.scan_iter("mf:*")}
    logs = {"company-done", "key-settled"}
    assert left <= {"event", "company", "companies", "key", "tickets", "fences", "clock", "counters"} | logs


# What the mails ask for


def test_what_came_up_since_it_was_read_stays_to_be_told(line: Line) -> None:
    line.publish("a")
    line.run("a", Failed(why("no")))
    read = line.ordering.unreported()
    line.ordering.retry("acme", "a")
    line.passes(seconds=1)
    line.run("a", Failed(why("no, for another reason")))
    line.ordering.reported(*read)
    assert [one[:2] for one in line.ordering.unreported()] == [("acme", "a")]
    line.ordering.reported(*line.ordering.unreported())
    assert line.ordering.unreported() == []


def test_what_is_held_behind_a_key_is_counted_and_the_first_are_named(line: Line) -> None:
    line.publish("c")
    for n in range(4):
        line.publish(f"i{n}", key=f"invoice/{n}", needs=["customer/1"])
    line.run("c", Failed(why("no")))
    line.publish("i4", key="invoice/4")
    line.run("i4", Held("acme/customer/1", why("it is not there")))
    (behind, nothing) = line.ordering.behind(["acme/customer/1", "acme/customer/2"], most=2)
    assert behind == (5, (("acme", "i0"), ("acme", "i1")), 4)  # the one that was refused waits for a customer
    assert nothing == (0, (), 0)


def test_what_the_target_said_is_kept_with_a_failed_event(line: Line) -> None:
    line.publish("a")
    line.run("a", Failed(why("no"), code="1", said="Nej."))
    record = line.ordering.event("acme", "a")
    assert record is not None
    assert record.said == "Nej."


def test_bodies_longer_than_asked_for_are_left_out(line: Line) -> None:
    line.publish("a")
    line.publish("longer", key="customer/2")
    assert line.ordering.bodies("acme", ["a", "longer", "unknown"], longest=10) == {"a": '{"id":"a"}'}
    assert line.ordering.bodies("acme", ["unknown"], longest=10) == {}
