"""Every crash point: a daemon is killed at its N-th socket call, before or after it, for N = 1, 2, … until the run ends by
itself; each time it is started again and the same invariants must hold.

Counting starts when the daemon is up and the work begins (CRASHPOINT_ARM), so the points are those of one piece of work:
a grant for boomstream-grant, a sweep page with a pass for stepik-sync, the events of one grant for web-gateway.
"""
import os
import pathlib
import signal
import time

from world import Failed, World, eventually, wait

SHIM = "libcrashpoint.so"


class crash_run:
    def __init__(self, daemon, bin_dir, when, extra=None):
        self.daemon, self.bin, self.when, self.extra = daemon, pathlib.Path(bin_dir), when, extra or {}
        self.world = World(f"crash_{daemon}_{when}", bin_dir=bin_dir)

    def shim(self, at):
        arm = self.world.log_dir / "armed"
        arm.unlink(missing_ok=True)
        return arm, {"LD_PRELOAD": str(self.bin / SHIM), "CRASHPOINT_AT": str(at), "CRASHPOINT_WHEN": self.when,
                     "CRASHPOINT_ARM": str(arm), **self.extra}

    def run(self, limit=None):
        """Returns (points, seconds). `limit` ends early (and says so)."""
        began = time.monotonic()
        with self.world as world:
            world.start_all()
            lessons = [l for l, steps in world.connect_course() if steps > 0]
            world.attach(lessons[:40])
            students = world.enrol(12)
            work = [(s, lesson) for lesson in lessons[:40] for s, _ in students]
            done, at = 0, 0
            while True:
                at += 1
                if done == len(work) or (limit and at > limit):
                    raise Failed(f"{self.daemon}: the run did not end by itself within {at - 1} points")
                world.stop(self.daemon)
                arm, env = self.shim(at)
                world.start(self.daemon, **env)
                process = world.processes[self.daemon]
                arm.touch()
                world.pass_lesson(*work[done])
                done += 1
                ended_by_itself = self.watch(world, process, done)
                if not ended_by_itself:
                    if process.returncode != -signal.SIGKILL:
                        raise Failed(f"point {at}: ended with {process.returncode}\n{world.log_tail(self.daemon)}")
                    world.start(self.daemon)
                    eventually(60, f"point {at} {self.when}: {done} confirmed", lambda: self.settled(world, done))
                else:
                    break
            world.assert_settled(expected=done, subscriptions=done)
        return at - 1, time.monotonic() - began

    def watch(self, world, process, expected):
        """True when the work ended by itself, False when the daemon died at its point."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return False
            if self.settled(world, expected):
                return process.poll() is None
            wait(0.02)
        raise Failed(f"neither died nor done within 60 s; its log ends:\n{world.log_tail(self.daemon)}")

    @staticmethod
    def settled(world, expected):
        return world.grants() == expected and world.outboxes_empty() and world.sql(
            "SELECT count(*) FROM accounts.v_feed WHERE event->>'type' = 'grant_issued'")[0][0] == expected


def plain_bin():
    return os.environ["COURSEGATE_PLAIN_BIN"]
