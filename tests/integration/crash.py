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

    def run(self, first=1, stride=1, settle_each=True):
        """Every point, or every stride-th from `first`. Returns (points tried, points in all, seconds).

        settle_each waits after each point until nothing of it is left open; a call in flight takes 12 s to be read back,
        a dead leader's lease 10 s to run out. Without it the next point begins at once, on top of what
        the last one left, and everything must have come right at the end."""
        began = time.monotonic()
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
                if self.watch(world, process, work[done - 1], done if settle_each else None):
                    break
                if process.returncode != -signal.SIGKILL:
                    raise Failed(f"point {at}: ended with {process.returncode}\n{world.log_tail(self.daemon)}")
                if settle_each:
                    world.start(self.daemon)
                    eventually(90, f"point {at} {self.when}: {done} confirmed", lambda: self.settled(world, done))
            # the last one would still die at its point, with nobody to start it again
            world.stop(self.daemon, signal.SIGKILL)
            world.start(self.daemon)
            world.assert_settled(expected=done, subscriptions=done, limit=180)
        return done - 1, at - 1, time.monotonic() - began

    def watch(self, world, process, work, expected):
        """True when the work ended by itself, False when the daemon died at its point."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return False
            if self.settled(world, expected) if expected else self.granted(world, *work):
                return process.poll() is None
            wait(0.02)
        raise Failed(f"neither died nor done within 90 s; its log ends:\n{world.log_tail(self.daemon)}")

    @staticmethod
    def granted(world, student, lesson):
        return bool(world.sql(
            "SELECT 1 FROM access.v_grants JOIN accounts.v_users USING (user_id) "
            "WHERE stepik_user_id = %s AND lesson_id = %s AND state = 'confirmed'", student, lesson))

    @staticmethod
    def settled(world, expected):
        return world.grants() == expected and world.outboxes_empty() and world.sql(
            "SELECT count(*) FROM accounts.v_feed WHERE event->>'type' = 'grant_issued'")[0][0] == expected


def print_run(daemon, when, first=1, stride=1, settle_each=True):
    tried, all_points, seconds = crash_run(daemon, plain_bin(), when).run(first, stride, settle_each)
    print(f"{daemon}: {tried} crash points of {all_points} ({when} the call) in {seconds:.0f} s", flush=True)
    return tried


def print_all(daemon, when, side_by_side):
    """Every point, settled one by one, spread over several worlds so that their waits overlap."""
    began = time.monotonic()

    def share(n):
        return crash_run(daemon, plain_bin(), when, f"_{n}").run(n, side_by_side)[:2]

    with concurrent.futures.ThreadPoolExecutor(side_by_side) as pool:
        shares = list(pool.map(share, range(1, side_by_side + 1)))
    tried = sum(points for points, _ in shares)
    print(f"{daemon}: {tried} crash points, all there are ({when} the call), in {time.monotonic() - began:.0f} s", flush=True)
    return tried


def plain_bin():
    return os.environ["COURSEGATE_PLAIN_BIN"]
