"""Nothing lost, nothing twice: passes flow while daemons are killed, the other side fails, servers stop.

One function per kind of bad day; each ends with the same invariants (World.assert_settled). The seed is printed, and
FAULT_SEED repeats a run: it decides who is killed when and which calls of the other side fail.
"""
import os
import random
import subprocess
import threading
import time

from world import COURSE, DAEMONS, Failed, World, call, eventually, wait

# Every way the other side can fail. Those of the first list share a fixed part of all calls …
SHARED = {
    "stepik": ["status_429", "status_500", "bad_gateway_html", "timeout_before", "timeout_after", "drop", "drop_after",
               "truncated", "empty_body"],
    "boomstream": ["status_429", "status_500", "bad_gateway_html", "timeout_before", "timeout_after", "drop", "drop_after",
                   "truncated", "failed_200", "empty_body"],
}
# … those of the second say that something is wrong with the keys or the course, and stop the whole of it for a while.
COUNTED = {
    "stepik": ["status_401", "status_403", "status_404"],
    "boomstream": ["status_401", "status_403", "status_404"],
}
SILENCE = 3000  # milliseconds; outlasts boomstream-grant's deadline of 2 s in these tests


def inject(world, share, seed, all_kinds):
    """`all_kinds`: each kind hits soon, once at least; chance alone leaves one out now and then."""
    world.control("DELETE", "/counters")
    for target in SHARED:
        world.control("POST", "/faults", {"target": target, "kind": "latency", "share": 0.05, "millis": 300, "seed": seed})
        for kind in COUNTED[target]:
            world.control("POST", "/faults", {"target": target, "kind": kind, "share": 0.1, "count": 2})
        for kind in SHARED[target]:
            if all_kinds:
                world.control("POST", "/faults", {"target": target, "kind": kind, "share": 0.1, "count": 1, "millis": SILENCE})
            world.control("POST", "/faults", {"target": target, "kind": kind, "share": share / len(SHARED[target]),
                                              "millis": SILENCE})


def bitten(world, share, all_kinds):
    """How many calls failed on purpose, said in words, and what was asked for and is still missing."""
    words, missing = [], []
    for target in SHARED:
        rows = [c for c in world.control("GET", "/counters")["calls"] if c["target"] == target]
        calls = sum(c["calls"] for c in rows)
        hits = {}
        for c in rows:
            if c["fault"]:
                hits[c["fault"]] = hits.get(c["fault"], 0) + c["calls"]
        part = sum(hits.values()) / max(calls, 1)
        words.append(f"{sum(hits.values())} of {calls} calls to {target} failed on purpose")
        if part < share / 2:
            missing.append(f"{words[-1]}: too few for a share of {share}")
        missed = [k for k in SHARED[target] + COUNTED[target] if k not in hits]
        if all_kinds and missed:
            missing.append(f"{target} never failed with {', '.join(missed)}")
    return ", ".join(words), "; ".join(missing)


def until_bitten(world, share, all_kinds, limit):
    deadline = time.monotonic() + limit
    while True:
        words, missing = bitten(world, share, all_kinds)
        if not missing:
            return words
        if time.monotonic() > deadline:
            raise Failed(missing)
        wait(0.2)


def prepare(world, passes):
    """Students, accounts, videos; returns the (student, lesson) pairs to be passed."""
    lessons = [l for l, steps in world.connect_course() if steps > 0]
    per_student = 10
    students = world.enrol(-(-passes // per_student))
    world.attach(lessons[:per_student])
    pairs = [(s, lesson) for lesson in lessons[:per_student] for s, _ in students][:passes]
    return pairs


def flow(world, pairs, seconds):
    """Passes lessons evenly over `seconds` from a thread of its own."""
    def run():
        began = time.monotonic()
        for n, (student, lesson) in enumerate(pairs):
            ahead = began + seconds * n / len(pairs) - time.monotonic()
            if ahead > 0:
                wait(ahead)
            world.pass_lesson(student, lesson)
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def run_with(name, passes, seconds, bad_days, share=0.2, instances=(), limit=240, under_fire=0.9, all_kinds=False):
    """The other side fails from the first pass until `under_fire` of the grants are confirmed and enough calls were hit (of a
    dozen calls chance may spare each)."""
    seed = int(os.environ.get("FAULT_SEED", time.time_ns() % 1_000_000))
    rng = random.Random(seed)
    print(f"{name}: {passes} passes over {seconds} s, seed {seed}", flush=True)
    with World(name) as world:
        world.start_all()
        for daemon, instance in instances:
            world.start(daemon, instance)
        pairs = prepare(world, passes)
        if share:
            inject(world, share, seed, all_kinds)
        thread = flow(world, pairs, seconds)
        told = bad_days(world, rng, thread)
        thread.join()
        if share:
            eventually(limit, f"{under_fire:.0%} of the grants confirmed while the other side fails",
                       lambda: world.grants() >= passes * under_fire, every=0.2)
            told = f"{told or ''}, {until_bitten(world, share, all_kinds, limit)}"
            world.control("DELETE", "/faults")
        world.assert_settled(expected=passes, subscriptions=passes, limit=limit, pairs=pairs)
        print(f"{name}: {passes} passes, {passes} grants, {world.kills} kills, {world.calls('boomstream', 'addbuyer')} "
              f"addbuyer calls (failed ones included){told or ''}", flush=True)
        if not share:
            assert_shared(world, instances)


def assert_shared(world, instances):
    """Nothing failed: then no call was made twice, and every instance did part of the work."""
    grants = world.calls("boomstream", "addbuyer")
    if grants != world.grants():
        raise Failed(f"{grants} addbuyer calls for {world.grants()} grants")

    def pages():
        for instance in [i for _, i in instances] + list({d for d, _ in instances}):
            if world.metric(instance, "coursegate_handler_total") == 0:
                raise Failed(f"{instance} never handled a message")
        # the sweeps go on: both sides are counted when none is under way
        done, running = world.sql("SELECT coalesce(sum(pages_done), 0), count(*) FILTER (WHERE finished_at IS NULL) "
                                  "FROM learning.sweeps")[0]
        counted.append((done, world.calls("stepik", "course-grades")))
        return running == 0 and counted[-1][0] == counted[-1][1]

    counted = []
    try:
        eventually(30, "one grades call per page of a sweep, none twice", pages, every=0.02)
    except Failed as fault:
        raise Failed(f"{fault}; (pages, calls) at last: {counted[-3:]}") from fault


def kills(count):
    """SIGKILL to a random daemon at random moments, `count` times in all; every daemon at least once."""
    def bad_days(world, rng, thread):
        victims = list(DAEMONS) + [rng.choice(DAEMONS) for _ in range(count - len(DAEMONS))]
        rng.shuffle(victims)
        for victim in victims:
            wait(rng.uniform(0.3, 2.0))
            world.kill_and_restart(victim)
        return ""
    return bad_days


def servers(*words):
    subprocess.run([os.environ["TEST_SERVERS"], words[0], os.environ["TEST_SERVERS_DIR"], *words[1:]],
                   check=True, timeout=180)


def rabbitmqctl(*words):
    return subprocess.run([*os.environ["TEST_RABBITMQCTL"].split(), "--quiet", *words], check=True, timeout=60,
                          capture_output=True, text=True).stdout


def broker_stops(seconds):
    def bad_days(world, rng, thread):
        wait(3)
        servers("stop-broker")
        wait(seconds)
        servers("start-broker")
        return f", broker stopped for {seconds} s"
    return bad_days


def broker_killed(world, rng, thread):
    wait(5)  # a quorum queue needs seconds of peace after its declaration
    servers("kill-broker")
    wait(1)
    servers("start-broker")
    return ", broker killed with SIGKILL"


def database_restarts(times):
    def bad_days(world, rng, thread):
        for _ in range(times):
            wait(rng.uniform(3, 6))
            servers("restart-database")
        return f", database restarted {times} times"
    return bad_days


def memory_alarm(seconds):
    def bad_days(world, rng, thread):
        wait(2)
        rabbitmqctl("set_vm_memory_high_watermark", "0.00001")
        try:
            eventually(30, "blocked is shown in health", lambda: any(
                "block" in str(ready(world, i)).lower() or "alarm" in str(ready(world, i)).lower() for i in DAEMONS))
            wait(seconds)
        finally:
            rabbitmqctl("set_vm_memory_high_watermark", "absolute", "2GB")
        return f", memory alarm for {seconds} s (shown by /ready)"
    return bad_days


def ready(world, instance):
    return call(f"http://127.0.0.1:{world.admin_ports[instance]}", "GET", "/ready")[1]


def queue_deleted(world, rng, thread):
    wait(3)
    name = f"{world.prefix}.boomstream-grant.passes"
    answer = rabbitmqctl("eval", f'rabbit_amqqueue:with({{resource,<<"/">>,queue,<<"{name}">>}}, '
                                 f'fun(Q) -> rabbit_amqqueue:delete(Q,false,false,<<"tests">>) end).')
    if "ok" not in answer:
        raise Failed(f"the queue was not deleted: {answer}")
    eventually(30, "the daemon declares its queue again and consumes from it", lambda: "from a queue that was deleted" in
               world.log("boomstream-grant"))
    return ", a queue deleted under its consumer"


def nothing(world, rng, thread):
    return ""


__all__ = ["run_with", "kills", "broker_stops", "broker_killed", "database_restarts", "memory_alarm", "queue_deleted",
           "nothing", "COURSE", "Failed"]
