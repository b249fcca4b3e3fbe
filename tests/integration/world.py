"""A whole Coursegate for one test: fresh database, fresh queue names, real daemons as processes, the sandbox.

    with World("first-grant") as world:
        world.start_all()
        ...

TEST_DATABASE_URL and TEST_AMQP_URL name private servers (tests/run starts them); COURSEGATE_BIN names the folder
with the programs. Logs of a failed test stay in .local/log/<name>/.
"""
import contextlib
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

import psycopg2

ROOT = pathlib.Path(__file__).resolve().parents[2]
DAEMONS = ("web-gateway", "stepik-sync", "boomstream-grant")
COURSE = 247644
TOKEN = "integration-token-0123456789abcdef"
SECRET_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


class Failed(AssertionError):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def eventually(limit, what, probe, every=0.05):
    """Polls probe() until it is truthy; raises Failed(what) with the last answer after `limit` seconds."""
    deadline = time.monotonic() + limit
    last = None
    while time.monotonic() < deadline:
        try:
            last = probe()
            if last:
                return last
        except (OSError, http.client.HTTPException, psycopg2.OperationalError) as fault:
            last = fault
        wait(every)
    raise Failed(f"not within {limit:.0f} s: {what}; last: {last!r}")


def wait(seconds):
    """The one place where a test lets time pass: between two looks at a condition, and between two injected faults."""
    with contextlib.suppress(TimeoutError):
        import select
        select.select([], [], [], seconds)


def call(base, method, path, body=None, token=None, timeout=30):
    """One HTTP request; returns (status, parsed JSON or text)."""
    address = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=timeout)
    headers = {"Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    payload = None
    if body is not None:
        payload = json.dumps(body)
        headers["Content-Type"] = "application/json"
    try:
        connection.request(method, path, payload, headers)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    finally:
        connection.close()
    try:
        return answer.status, json.loads(text)
    except ValueError:
        return answer.status, text


class World:
    def __init__(self, name, bin_dir=None, extra_env=None, wrap=None):
        self.name = name
        self.bin = pathlib.Path(bin_dir or os.environ["COURSEGATE_BIN"])
        self.extra_env = extra_env or {}
        self.wrap = wrap or {}  # daemon -> extra environment for it alone (crash points)
        self.log_dir = ROOT / ".local" / "log" / name
        shutil.rmtree(self.log_dir, ignore_errors=True)
        self.log_dir.mkdir(parents=True)
        self.owner_url = os.environ["TEST_DATABASE_URL"]
        self.amqp_url = os.environ["TEST_AMQP_URL"]
        tag = f"{os.getpid()}_{random.randrange(1 << 30):08x}"
        self.database = f"it_{tag}"
        self.prefix = f"it{tag}"
        self.processes = {}  # instance name -> Popen
        self.admin_ports = {}
        self.started = {}    # instance name -> (daemon, env)
        self.sandbox_url = None
        self.gateway_url = None
        self.kills = 0
        self._connection = None

    # ---- life cycle ------------------------------------------------------------------------------
    def __enter__(self):
        with self._server("postgres") as db:
            db.cursor().execute(f'CREATE DATABASE "{self.database}"')
        self.ctl("migrate")
        return self

    def __exit__(self, kind, value, trace):
        for name in list(self.processes):
            self.stop(name, signal.SIGKILL if kind else signal.SIGTERM)
        if self._connection:
            self._connection.close()
        self.remove_queues()
        with self._server("postgres") as db:
            db.cursor().execute(f'DROP DATABASE IF EXISTS "{self.database}" WITH (FORCE)')
        if kind is None:
            shutil.rmtree(self.log_dir, ignore_errors=True)
        else:
            print(f"logs: {self.log_dir}", file=sys.stderr)

    def close(self):
        self.__exit__(None, None, None)

    def _server(self, database):
        parts = urllib.parse.urlsplit(self.owner_url)
        connection = psycopg2.connect(urllib.parse.urlunsplit(parts._replace(path="/" + database)))
        connection.autocommit = True
        return contextlib.closing(connection)

    def database_url(self, daemon=None):
        parts = urllib.parse.urlsplit(self.owner_url)
        netloc = parts.netloc
        if daemon:
            role = "coursegate_" + daemon.replace("-", "_")
            netloc = f"{role}:test@{parts.hostname}:{parts.port}"
        return urllib.parse.urlunsplit(parts._replace(netloc=netloc, path="/" + self.database))

    def environment(self):
        env = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LANG")}
        env.update(SECRET_KEY=SECRET_KEY, AMQP_URL=self.amqp_url, AMQP_PREFIX=self.prefix, HOST="127.0.0.1")
        return env

    def publish(self, queue, body):
        """Straight into a queue, as a program that is not ours would."""
        command = os.environ["TEST_RABBITMQCTL"].split()
        erl = f'rabbit_basic:publish(rabbit_misc:r(<<"/">>, exchange, <<>>), <<"{self.prefix}.{queue}">>, [], <<"{body}">>).'
        subprocess.run([*command, "--quiet", "eval", erl], check=True, capture_output=True, timeout=60)

    def ctl(self, *words, check=True, env=None):
        full = self.environment()
        full["MIGRATE_DATABASE_URL"] = self.database_url()
        for daemon in DAEMONS:
            full["DATABASE_URL_" + daemon.upper().replace("-", "_")] = self.database_url(daemon)
        if self.gateway_url:
            full.update(GATEWAY_URL=self.gateway_url, GATEWAY_TOKEN=TOKEN, SANDBOX_URL=self.sandbox_url)
        full.update(env or {})
        done = subprocess.run([self.bin / "coursegate-ctl", *words], env=full, capture_output=True, text=True, timeout=120)
        if check and done.returncode != 0:
            raise Failed(f"coursegate-ctl {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def remove_queues(self):
        command = os.environ.get("TEST_RABBITMQCTL", "").split()
        if not command:
            return
        listed = subprocess.run([*command, "--quiet", "list_queues", "name", "--no-table-headers"],
                                capture_output=True, text=True, timeout=60)
        names = [n for n in listed.stdout.split() if n.startswith(self.prefix + ".")]
        if names:
            erl = "".join(
                f'rabbit_amqqueue:with({{resource,<<"/">>,queue,<<"{n}">>}}, '
                f'fun(Q) -> rabbit_amqqueue:delete(Q,false,false,<<"tests">>) end), ' for n in names)
            subprocess.run([*command, "--quiet", "eval", erl + "ok."], capture_output=True, timeout=120)

    # ---- processes -------------------------------------------------------------------------------
    def start(self, daemon, instance=None, ready=True, **env):
        instance = instance or daemon
        full = self.environment()
        admin = free_port()
        full["ADMIN_PORT"] = str(admin)
        if daemon == "sandbox":
            port = int(self.sandbox_url.rsplit(":", 1)[1]) if self.sandbox_url else free_port()
            self.sandbox_url = f"http://127.0.0.1:{port}"
            full["PORT"] = str(port)
        else:
            full["DATABASE_URL"] = self.database_url(daemon)
        if daemon == "web-gateway":
            port = int(self.gateway_url.rsplit(":", 1)[1]) if self.gateway_url else free_port()
            self.gateway_url = f"http://127.0.0.1:{port}"
            full.update(PORT=str(port), ADMIN_API_TOKEN=TOKEN)
            if self.sandbox_url:
                full["BOOMSTREAM_PLAY_URL"] = self.sandbox_url
        if daemon == "stepik-sync":
            full.update(STEPIK_URL=self.sandbox_url, STEPIK_REQUESTS_PER_SECOND="200", STEPIK_CONCURRENCY="4",
                        STEPIK_SWEEP_SECONDS="2")
        if daemon == "boomstream-grant":
            full.update(BOOMSTREAM_URL=self.sandbox_url, BOOMSTREAM_PLAY_URL=self.sandbox_url,
                        BOOMSTREAM_REQUESTS_PER_SECOND="500", BOOMSTREAM_CONCURRENCY="8",
                        BOOMSTREAM_DEADLINE_SECONDS="2")
        full.update(self.extra_env.get(daemon, {}))
        full.update(env)
        self.started[instance] = (daemon, env)
        log = open(self.log_dir / f"{instance}.log", "ab")
        self.processes[instance] = subprocess.Popen(
            [self.bin / daemon], env=full, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        self.admin_ports[instance] = admin
        log.close()
        if ready:
            self.wait_ready(instance)

    def wait_ready(self, instance, limit=60):
        def look():
            if self.processes[instance].poll() is not None:
                raise Failed(f"{instance} ended with {self.processes[instance].returncode}; "
                             f"its log ends:\n{self.log_tail(instance)}")
            return call(f"http://127.0.0.1:{self.admin_ports[instance]}", "GET", "/ready")[0] == 200
        eventually(limit, f"{instance} ready", look)

    def log(self, instance):
        return (self.log_dir / f"{instance}.log").read_text(errors="replace")

    def log_tail(self, instance, lines=12):
        return "\n".join(self.log(instance).splitlines()[-lines:])

    def start_all(self, **per_daemon):
        self.start("sandbox")
        for daemon in DAEMONS:
            self.start(daemon, **per_daemon.get(daemon.replace("-", "_"), {}))

    def stop(self, instance, how=signal.SIGTERM):
        process = self.processes.pop(instance, None)
        if not process or process.poll() is not None:
            return process.returncode if process else None
        process.send_signal(how)
        try:
            return process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failed(f"{instance} did not stop within 60 s of {how!r}; its log ends:\n{self.log_tail(instance)}")

    def kill_and_restart(self, instance):
        daemon, env = self.started[instance]
        process = self.processes[instance]
        if process.poll() is not None and process.returncode not in (-signal.SIGKILL,):
            raise Failed(f"{instance} ended by itself with {process.returncode}:\n{self.log_tail(instance)}")
        process.kill()
        process.wait()
        self.kills += 1
        self.start(daemon, instance, ready=False, **env)

    def assert_no_surprises(self):
        """Nobody ended by itself and no sanitizer spoke."""
        for instance, process in self.processes.items():
            if process.poll() is not None:
                raise Failed(f"{instance} ended by itself with {process.returncode}:\n{self.log_tail(instance, 40)}")
        for log in self.log_dir.glob("*.log"):
            text = log.read_text(errors="replace")
            for word in ("AddressSanitizer", "runtime error:", "LeakSanitizer"):
                if word in text:
                    raise Failed(f"{log.name}: {word}\n{text[text.index(word) - 200:][:4000]}")

    # ---- the two sides ---------------------------------------------------------------------------
    def gateway(self, method, path, body=None, expect=(200, 201, 202)):
        status, answer = call(self.gateway_url, method, path, body, TOKEN)
        if status not in expect:
            raise Failed(f"{method} {path}: {status} {answer}")
        return answer

    def control(self, method, path, body=None):
        status, answer = call(self.sandbox_url, method, "/control" + path, body)
        if status not in (200, 201, 202, 204):
            raise Failed(f"{method} /control{path}: {status} {answer}")
        return answer

    def sql(self, text, *params):
        if self._connection is None or self._connection.closed:
            self._connection = psycopg2.connect(self.database_url())
            self._connection.autocommit = True
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(text, params or None)
                return cursor.fetchall() if cursor.description else []
        except psycopg2.Error:
            with contextlib.suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None
            raise

    # ---- a course with students ------------------------------------------------------------------
    def connect_course(self, **more):
        self.gateway("PUT", f"/v1/courses/{COURSE}", {
            "title": "Sample", "stepik_client_id": "sandbox-client", "stepik_client_secret": "sandbox-secret",
            "boomstream_api_key": "sandbox-key", "default_subscription": "SBXGROUP", **more})
        return eventually(60, "the course's structure is known", lambda: self.lessons())

    def lessons(self):
        """Lesson ids in course order with their number of gradable steps."""
        return self.sql("SELECT lesson_id, gradable_steps FROM learning.v_structure WHERE course_id = %s AND NOT vanished "
                        "ORDER BY module_position, lesson_position", COURSE)

    def enrol(self, count, accounts=True):
        """New students on Stepik, with an account here unless told otherwise; returns [(stepik id, user id or None)]."""
        out = []
        for student in self.control("POST", "/students", {"course": COURSE, "count": count})["students"]:
            user = None
            if accounts:
                user = self.gateway("POST", "/v1/users",
                                    {"email": student["email"], "stepik_user_id": student["user"]})["id"]
            out.append((student["user"], user))
        return out

    def attach(self, lesson_ids, single=True):
        """A video for each lesson; each lesson its own subscription where `single`, else all share the group."""
        listed = self.control("GET", "/subscriptions")
        video = {l["lesson"]: l for l in listed["lessons"]}
        self.gateway("POST", f"/v1/courses/{COURSE}/media", {"rows": [
            {"lesson_id": lesson, "part": 1, "boom_media": video[lesson]["media"],
             "subscription_code": video[lesson]["subscription"] if single else listed["group"]}
            for lesson in lesson_ids]})

    def pass_lesson(self, stepik_id, lesson_id):
        self.control("POST", "/pass", {"course": COURSE, "user": stepik_id, "lesson": lesson_id})

    def calls(self, target, path=""):
        """Calls the sandbox got for one of the services it plays, failed ones included."""
        return sum(c["calls"] for c in self.control("GET", "/counters")["calls"]
                   if c["target"] == target and path in c["path"])

    def metric(self, instance, name):
        """Sum of a metric over its labels, from the instance's admin port."""
        text = call(f"http://127.0.0.1:{self.admin_ports[instance]}", "GET", "/metrics")[1]
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.startswith((name + "{", name + " ")))

    # ---- invariants ------------------------------------------------------------------------------
    def grants(self, state="confirmed"):
        return self.sql("SELECT count(*) FROM access.v_grants WHERE state = %s", state)[0][0]

    def assert_settled(self, expected, subscriptions, limit=120, pairs=None):
        """Every passed lesson has exactly one confirmed grant per subscription, the provider exactly one buyer per
        (student, subscription), one grant_issued per grant, nothing parked, nothing left in an outbox. `pairs`, where
        given, are the (Stepik user, lesson) that were passed, and nothing else may be open."""
        eventually(limit, f"{expected} confirmed grants", lambda: self.grants() == expected or None)
        # rows that a killed relay had claimed are free again after 30 s
        eventually(60, "empty outboxes", lambda: self.outboxes_empty())
        eventually(60, "one grant_issued per grant in the event log", lambda: self.sql(
            "SELECT count(*) FROM accounts.v_feed WHERE event->>'type' = 'grant_issued'")[0][0] >= expected)
        doubled = self.sql("SELECT user_id, course_id, lesson_id, subscription_code, count(*) FROM access.v_grants "
                           "GROUP BY 1, 2, 3, 4 HAVING count(*) > 1")
        if doubled:
            raise Failed(f"doubled grants: {doubled[:3]}")
        if pairs is not None:
            opened = set(self.sql("SELECT u.stepik_user_id, g.lesson_id FROM access.v_grants g "
                                  "JOIN accounts.v_users u USING (user_id) WHERE g.state = 'confirmed'"))
            if opened != set(pairs):
                raise Failed(f"passed and not open: {sorted(set(pairs) - opened)[:3]}, "
                             f"open and not passed: {sorted(opened - set(pairs))[:3]}")
        others = self.sql("SELECT state, count(*) FROM access.v_grants WHERE state <> 'confirmed' GROUP BY 1")
        if others:
            raise Failed(f"grants in another state: {others}")
        issued = self.sql("SELECT event->'data'->>'grant_id', count(*) FROM accounts.v_feed "
                          "WHERE event->>'type' = 'grant_issued' GROUP BY 1")
        if len(issued) != expected or any(n != 1 for _, n in issued):
            raise Failed(f"{len(issued)} grants told as issued (expected {expected}), "
                         f"told more than once: {[i for i in issued if i[1] != 1][:3]}")
        passed = self.sql("SELECT event->'data'->>'stepik_user_id', event->'data'->>'lesson_id', count(*) "
                          "FROM accounts.v_feed WHERE event->>'type' = 'lesson_passed' GROUP BY 1, 2 HAVING count(*) > 1")
        if passed:
            raise Failed(f"lesson_passed told more than once: {passed[:3]}")
        buyers = self.control("GET", "/ledger")["buyers"]
        keys = [(b["subscription"], b["hash"]) for b in buyers if b["live"]]
        if len(keys) != len(set(keys)) or len(keys) != subscriptions:
            raise Failed(f"{len(keys)} buyers at the provider ({len(set(keys))} different), expected {subscriptions}")
        twice = [(b["subscription"], b["created"], b["refreshed"]) for b in buyers if b["created"] != 1 or b["refreshed"]]
        if twice:
            raise Failed(f"asked for more than once (subscription, created, refreshed): {twice[:3]}")
        self.assert_nothing_parked()
        self.assert_no_surprises()

    def outboxes_empty(self):
        return all(self.sql(f"SELECT count(*) FROM {schema}.outbox")[0][0] == 0
                   for schema in ("accounts", "learning", "access"))

    def assert_nothing_parked(self):
        state = json.loads(self.ctl("status", "--json", check=False).stdout)
        parked = {q["name"]: q["parked"] for q in state["queues"] if q["parked"]}
        if parked:
            raise Failed(f"parked messages: {parked}\n{self.ctl('dead', 'list', check=False).stdout}")

