"""The engine broken on purpose, one promise at a time: the simulation has to catch every one of these."""

from typing import Final, NamedTuple

from tests.simulation.variants import Patch


class Mutant(NamedTuple):
    """`promise`: that of ordering/__init__.py which it breaks."""

    name: str
    promise: int
    patches: tuple[Patch, ...]


def _mutant(name: str, promise: int, script: str, old: str, new: str = "") -> Mutant:
    return Mutant(name, promise, (Patch(f"{script}.lua", old, new),))


MUTANTS: Final = (
    # 1. At most one live transfer per ordering key; a holder whose lease lapsed can change nothing.
    _mutant("the fence is not checked", 1, "common", " or e.fence ~= fence"),
    _mutant("the lease is not checked", 1, "common", "return lease ~= nil and lease >= NOW", "return lease ~= nil"),
    _mutant(
        "an event starts while another of its key is under way",
        1,
        "common",
        "  if redis.call('EXISTS', P .. 'key-active:' .. e.key) == 1 then return end\n",
    ),
    _mutant("a waiting event may be claimed", 1, "common", "if e.status ~= 'ready' or", "if e.status ~= 'waiting' and"),
    _mutant("a running event may be skipped", 1, "skip", "e.status == 'running' or "),
    # 2. Order per key survives retries, back-off, crashes, redelivery and restarts.
    _mutant(
        "not only the first of its key is looked at",
        2,
        "common",
        "  if first ~= e.id then return first and load_or_set_aside(e.company .. ':' .. first) end\n",
    ),
    _mutant(
        "the next of its key is not looked at",
        2,
        "common",
        "  advance(e.key, e.company)\n  sweep(e.key)",
        "  sweep(e.key)",
    ),
    _mutant(
        "a held event leaves the first of its key waiting",
        2,
        "settle",
        "    advance(e.key, company) -- to this event, or to an earlier one that was retried while this one ran\n",
    ),
    _mutant("an event runs again before its time", 2, "settle", "NOW + delay, e.ref", "NOW + delay / 2, e.ref"),
    _mutant("a stale sequence is applied", 2, "common", "if e.sequence >= applied then", "if true then"),
    _mutant(
        "a snapshot is applied after a newer one",
        2,
        "common",
        "elseif later_went_through then",
        "elseif false then",
    ),
    # 3. Nothing accepted is lost; nothing settled runs again by itself; the same event id is accepted once.
    _mutant(
        "a known id is accepted again",
        3,
        "publish",
        "if redis.call('EXISTS', hash) == 1 and not gives_way() then return { 0, woken } end",
    ),
    _mutant(
        "an invalid event keeps its id from the corrected one",
        3,
        "publish",
        "finish(older, 'skipped'",
        "finish(older, 'failed'",
    ),
    _mutant("due retries are dropped", 3, "pump", "for _, ref in ipairs(due('due')) do", "for _, ref in ipairs({}) do"),
    _mutant(
        "lost wake-ups are not repeated", 3, "pump", "for _, ref in ipairs(stale) do", "for _, ref in ipairs({}) do"
    ),
    _mutant("lapsed leases are not returned", 3, "pump", "'leases', '-inf', '(' .. int(NOW)", "'leases', '-inf', '(0'"),
    _mutant("an event that kills its worker is tried for ever", 3, "common", "if times >= most then", "if false then"),
    _mutant(
        "deaths are counted though it lived in between", 3, "settle", "redis.call('HDEL', e.hash, 'crashes', 'lapses')"
    ),
    _mutant(
        "the death of any process frees an event",
        1,
        "common",
        "e.status == 'running' and e.holder == process",
        "e.status == 'running'",
    ),
    _mutant(
        "what a dead worker held waits for its lease",
        3,
        "pump",
        "for _, worker in ipairs(dead) do",
        "for _, worker in ipairs({}) do",
    ),
    _mutant(
        "a worker that lives is thought dead",
        1,
        "pump",
        "'workers', '-inf', '(' .. int(NOW)",
        "'workers', '-inf', '+inf'",
    ),
    _mutant(
        "a worker whose process is at work is thought dead",
        1,
        "renew",
        "if worker then redis.call('ZADD', P .. 'workers', 'GT', NOW + tonumber(ARGV[8]), worker) end",
    ),
    _mutant(
        "a Redis that was away makes every worker dead",
        1,
        "common",
        "  elseif NOW - seen > SILENCE then\n    shift('workers', NOW - seen)\n",
    ),
    _mutant("what a stopped worker held is not freed", 3, "leave", "for at = 1, #claimed, 2 do", "for at = 1, 0 do"),
    _mutant(
        "what the answer to a claim was lost of is not freed",
        3,
        "common",
        "local left = before and free(",
        "local left = false and free(",
    ),
    _mutant(
        "one that settles nothing claims the next",
        1,
        "settle",
        "if not holds(e, ARGV[6]) then return { 0, woken } end",
        "local held = holds(e, ARGV[6])\nif not held then return { 1, woken } end",
    ),
    _mutant(
        "the next event is claimed for nobody", 3, "settle", "ARGV[23], ARGV[22], ARGV[24]", "ARGV[23], '', ARGV[24]"
    ),
    _mutant(
        "the next wake-up is taken for another event", 3, "settle", "claim(of_company, id,", "claim(of_company, e.id,"
    ),
    _mutant(
        "what is scheduled waits until a clock that was set back comes there",
        3,
        "common",
        "for _, set in ipairs({ 'due', 'leases', 'woken', 'resting', 'workers' }) do",
        "for _, set in ipairs({}) do",
    ),
    _mutant("a known death is not acted on", 3, "died", "release(e.company)"),
    _mutant("wake-ups are repeated at the same pace", 6, "pump", "'wakes', 1), MOST_DOUBLINGS)", "'wakes', 0), 0)"),
    _mutant("who is to be told of a skipped event is told", 3, "skip", "redis.call('ZREM', P .. 'reports', e.ref)"),
    _mutant("steps taken are not kept", 3, "record", "redis.call('HSET', P .. 'progress:' .. e.ref, ARGV[7], ARGV[8])"),
    _mutant(
        "a skipped event forgets its steps",
        3,
        "common",
        "redis.call('PEXPIRE', P .. 'progress:' .. e.ref, KEEP)",
        "redis.call('DEL', P .. 'progress:' .. e.ref)",
    ),
    _mutant("what was left out of a done event is forgotten", 3, "common", " or e.again"),
    _mutant(
        "a done event with nothing left out runs again",
        3,
        "retry",
        "(e.status == 'done' and redis.call('EXISTS', P .. 'body:' .. e.ref) == 1)",
        "e.status == 'done'",
    ),
    _mutant(
        "a recurring event is remembered when it is through",
        3,
        "common",
        "elseif e.recurring then",
        "elseif false then",
    ),
    _mutant(
        "what goes on later goes on at once",
        3,
        "settle",
        "outcome == 'snooze' then",
        "outcome == 'snooze' and false then",
    ),
    _mutant("a retried event expires", 3, "retry", "  redis.call('PERSIST', e.hash)\n"),
    _mutant("a settled event is kept for ever", 3, "common", "    redis.call('PEXPIRE', e.hash, KEEP)\n"),
    _mutant("a failure is not told", 3, "common", "NOW, e.id)\n    report(e.ref)", "NOW, e.id)"),
    _mutant("attempts are not counted", 3, "settle", "e.attempts + 1", "e.attempts"),
    _mutant(
        "producers are not told how an event settled",
        3,
        "common",
        "  if not e.recurring then publish_outcome(e, status, reason) end\n",
    ),
    # 4. A prerequisite's earlier events are through, or the event waits; if one failed, it is held until mended.
    _mutant(
        "prerequisites are not waited for",
        4,
        "common",
        "    if place and place < e.place then return wait_for(e, key) end\n",
    ),
    _mutant(
        "a failed prerequisite does not hold",
        4,
        "common",
        "    if broken and broken < e.place then return hold(e, key) end\n",
    ),
    _mutant("what is held is not released", 4, "common", "local ref, place = lowest(held)", "local ref, place"),
    _mutant("what was refused is not released", 4, "common", "local ref, since = lowest(refused)", "local ref, since"),
    _mutant("what was refused for a key stays so when it is reopened", 4, "reopen", "sweep(key)\n"),
    _mutant(
        "what was told is told again",
        4,
        "settle",
        "      if ARGV[13] == '1' then report(e.ref) end\n",
        "      report(e.ref)\n",
    ),
    _mutant("what was refused is released too early", 4, "common", "if e.refused then return end"),
    _mutant("success does not mend a key", 4, "common", "    redis.call('DEL', P .. 'key-failed:' .. e.key)", "   "),
    _mutant(
        "waiters that a call could not look at are forgotten",
        4,
        "common",
        "  if looks <= 0 then redis.call('SADD', P .. 'unblocked', key) end\n",
    ),
    _mutant(
        "a snapshot overtakes what it needs",
        4,
        "publish",
        "if last and tonumber(last) > older.place then return false end",
    ),
    # 5. Only snapshots not yet started are superseded.
    _mutant("a started snapshot is superseded", 5, "publish", "or older.started or", "or"),
    Mutant(
        "an invoice is superseded",
        5,
        (
            Patch("publish.lua", "if not (older and e.snapshot and older.snapshot)", "if not older"),
            Patch("publish.lua", "before and e.snapshot and load", "before and load"),
        ),
    ),
    _mutant("a snapshot does not inherit the place", 5, "publish", "    e.place = older.place\n"),
    _mutant(
        "an older sequence supersedes a newer",
        5,
        "publish",
        "if older.sequence and e.sequence and e.sequence < older.sequence then",
        "if false then",
    ),
    _mutant(
        "what its sequence alone superseded is not told",
        5,
        "common",
        "  if came_after then report_daily(e, 'stale_told') end\n",
    ),
    _mutant(
        "what sequences supersede is told each time",
        5,
        "common",
        "  if redis.call('HGET', company, field) == day then return end\n",
    ),
    _mutant("a sequence that jumps is not told", 5, "common", "    if jumped then report_daily(e, 'jump_told') end\n"),
    # 6. A company has at most `release_limit` transfers released; one that rests or is paused occupies no slot.
    _mutant(
        "the limit is not kept",
        6,
        "common",
        "local free = cap - redis.call('SCARD', P .. 'company-released:' .. company)",
        "local free = cap",
    ),
    _mutant(
        "the last of the ready goes first",
        6,
        "common",
        "redis.call('ZPOPMIN', P .. 'company-ready:' .. company)",
        "redis.call('ZPOPMAX', P .. 'company-ready:' .. company)",
    ),
    _mutant(
        "a pause is ignored",
        6,
        "common",
        "return not company.rests and (control or not company.paused)",
        "return not company.rests",
    ),
    _mutant(
        "a rest is ignored",
        6,
        "common",
        "return not company.rests and (control or not company.paused)",
        "return control or not company.paused",
    ),
    _mutant("a resting company keeps its slots", 6, "common", "  ready(e) -- gives its slot back", "  --"),
    _mutant("a control event that pauses its company goes on", 6, "settle", "if e.control then", "if false then"),
    _mutant("a pause stops control events too", 6, "common", "(control or not company.paused)", "not company.paused"),
    _mutant("the breaker never opens", 6, "settle", "  if over >= 0 then", "  if false then"),
    _mutant(
        "several probes go at a time",
        6,
        "common",
        "not may_start(now, e.control) or crowd",
        "not may_start(now, e.control)",
    ),
    _mutant("a resumed company releases nothing", 6, "resume", "release(company)"),
)
