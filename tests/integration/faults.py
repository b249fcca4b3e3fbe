"""Nothing lost, nothing twice: passes flow while daemons are killed, the other side fails, servers stop.

One function per kind of bad day; each ends with the same invariants (World.assert_settled). The seed is printed, and
FAULT_SEED repeats a run.
"""
import os
import random
import subprocess
import threading
import time

from world import COURSE, DAEMONS, Failed, World, eventually, wait

FAULTS = {
    # every way the other side can fail, together a fifth of the calls
    "stepik": ["latency", "status_401", "status_429", "status_500", "bad_gateway_html", "timeout_before", "drop",
               "truncated", "empty_body"],
    "boomstream": ["latency", "status_429", "status_500", "bad_gateway_html", "timeout_before", "timeout_after", "drop",
                   "drop_after", "truncated", "failed_200", "empty_body"],
}


def inject(world, share):
    for target, kinds in FAULTS.items():
        for kind in kinds:
            # a latency or a silence that outlasts our deadlines, but not the test
            world.control("POST", "/faults", {"target": target, "kind": kind, "share": share / len(kinds),
                                              "millis": 300 if kind == "latency" else 3000})


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


def run_with(name, passes, seconds, bad_days, share=0.2, instances=(), limit=240):
    seed = int(os.environ.get("FAULT_SEED", time.time_ns() % 1_000_000))
    rng = random.Random(seed)
    print(f"{name}: {passes} passes over {seconds} s, seed {seed}", flush=True)
    with World(name) as world:
        world.start_all()
        for daemon, instance in instances:
            world.start(daemon, instance)
        pairs = prepare(world, passes)
        if share:
            inject(world, share)
        thread = flow(world, pairs, seconds)
        told = bad_days(world, rng, thread)
        thread.join()
        world.control("DELETE", "/faults")
        world.assert_settled(expected=passes, subscriptions=passes, limit=limit)
        grants = world.calls("boomstream", "addbuyer")
        print(f"{name}: {passes} passes, {passes} grants, {world.kills} kills, {grants} addbuyer calls "
              f"(failed ones included){told or ''}", flush=True)
        return grants


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
    from world import call
    return call(f"http://127.0.0.1:{world.admin_ports[instance]}", "GET", "/ready")[1]


def queue_deleted(world, rng, thread):
    wait(3)
    name = f"{world.prefix}.boomstream-grant.passes"
    rabbitmqctl("eval", f'rabbit_amqqueue:with({{resource,<<"/">>,queue,<<"{name}">>}}, '
                        f'fun(Q) -> rabbit_amqqueue:delete(Q,false,false,<<"tests">>) end).')
    return ", a queue deleted under its consumer"


def nothing(world, rng, thread):
    return ""


__all__ = ["run_with", "kills", "broker_stops", "broker_killed", "database_restarts", "memory_alarm", "queue_deleted",
           "nothing", "COURSE", "Failed"]
