"""Every crash point: a daemon is killed at its N-th socket call, before or after it, for N = 1, 2, … until the run ends by
itself; each time it is started again and the same invariants must hold.

Counting starts when the daemon is up and the work begins (CRASHPOINT_ARM), so the points are those of one piece of work:
a grant for boomstream-grant, a sweep page with a pass for stepik-sync, the events of one grant for web-gateway.
"""
import concurrent.futures
import os
import pathlib
import signal
import time

from world import Failed, World, eventually, wait

SHIM = "libcrashpoint.so"


class crash_run:
    def __init__(self, daemon, bin_dir, when, name=""):
        self.daemon, self.bin, self.when = daemon, pathlib.Path(bin_dir), when
        self.world = World(f"crash_{daemon}_{when}{name}", bin_dir=bin_dir)

    def shim(self, at):
        arm = self.world.log_dir / "armed"
        arm.unlink(missing_ok=True)
        return arm, {"LD_PRELOAD": str(self.bin / SHIM), "CRASHPOINT_AT": str(at), "CRASHPOINT_WHEN": self.when,
                     "CRASHPOINT_ARM": str(arm)}

    def run(self, first, stride):
        """Every stride-th point from `first`; returns how many. After each the daemon is started again, and nothing of
        the work may be left open: a call in flight takes 12 s to be read back, a dead leader's lease 10 s to run out."""
        with self.world as world:
            world.start_all()
            lessons = [l for l, steps in world.connect_course() if steps > 0]
            world.attach(lessons[:40])
            students = world.enrol(40)
            work = [(s, lesson) for lesson in lessons[:40] for s, _ in students]
            done, at = 0, first - stride
            while True:
                at += stride
                if done == len(work):
                    raise Failed(f"{self.daemon}: the run did not end by itself within {at} points")
                world.stop(self.daemon)
                arm, env = self.shim(at)
                world.start(self.daemon, **env)
                process = world.processes[self.daemon]
                arm.touch()
                world.pass_lesson(*work[done])
                done += 1
                if self.watch(world, process, done):
                    break
                if process.returncode != -signal.SIGKILL:
                    raise Failed(f"point {at}: ended with {process.returncode}\n{world.log_tail(self.daemon)}")
                world.start(self.daemon)
                eventually(90, f"point {at} {self.when}: {done} confirmed", lambda: self.settled(world, done))
            # the last one would still die at its point, with nobody to start it again
            world.stop(self.daemon, signal.SIGKILL)
            world.start(self.daemon)
            world.assert_settled(expected=done, subscriptions=done, limit=180)
        return done - 1

    def watch(self, world, process, expected):
        """True when the work ended by itself, False when the daemon died at its point."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return False
            if self.settled(world, expected):
                return process.poll() is None
            wait(0.02)
        raise Failed(f"neither died nor done within 90 s; its log ends:\n{world.log_tail(self.daemon)}")

    @staticmethod
    def settled(world, expected):
        return world.grants() == expected and world.outboxes_empty() and world.sql(
            "SELECT count(*) FROM accounts.v_feed WHERE event->>'type' = 'grant_issued'")[0][0] == expected


def print_points(daemon, when, first=1, stride=1):
    """Every stride-th point from `first`, spread over eight worlds side by side: most of the time is waiting."""
    began, worlds = time.monotonic(), 8

    def share(n):
        return crash_run(daemon, plain_bin(), when, f"_{n}").run(first + stride * n, stride * worlds)

    with concurrent.futures.ThreadPoolExecutor(worlds) as pool:
        tried = sum(pool.map(share, range(worlds)))
    which = "all there are" if stride == 1 else f"every {stride}th from {first}"
    print(f"{daemon}: {tried} crash points, {which} ({when} the call), in {time.monotonic() - began:.0f} s", flush=True)
    return tried


def plain_bin():
    return os.environ["COURSEGATE_PLAIN_BIN"]
