#!/usr/bin/python3
"""The peer of the sweep benchmark: what an author would write. Reads the same pages with requests, parses them with
json, and upserts every lesson row with psycopg2 (execute_values, one commit a page).

    sweep_peer.py STEPIK_URL DATABASE_URL COURSE [gzip]      prints rows and CPU seconds
"""
import sys
import time

import psycopg2
import psycopg2.extras
import requests

stepik, database, course = sys.argv[1:4]
session = requests.Session()
session.headers["Accept-Encoding"] = "gzip" if sys.argv[4:] == ["gzip"] else "identity"
token = session.post(f"{stepik}/oauth2/token/", data={"grant_type": "client_credentials"},
                     auth=("sandbox-client", "sandbox-secret")).json()["access_token"]
session.headers["Authorization"] = f"Bearer {token}"
db = psycopg2.connect(database)
cursor = db.cursor()
cursor.execute("CREATE SCHEMA IF NOT EXISTS bench")
cursor.execute("CREATE TABLE IF NOT EXISTS bench.lesson_progress (course_id bigint, stepik_user_id bigint, lesson_id bigint, "
               "steps_passed int, steps_total int, passed bool, PRIMARY KEY (course_id, stepik_user_id, lesson_id))")
db.commit()

rows = page = 0
began = time.process_time()
while True:
    page += 1
    answer = session.get(f"{stepik}/api/course-grades", params={"course": course, "page": page}).json()
    upserts = []
    for row in answer["course-grades"]:
        if row["is_teacher"]:
            continue
        rows += 1
        lessons = {}
        for key, result in row["results"].items():
            lesson = int(key.split("-")[0])
            passed, total = lessons.get(lesson, (0, 0))
            lessons[lesson] = (passed + bool(result["is_passed"]), total + 1)
        upserts += [(row["course"], row["user"], lesson, p, t, p == t) for lesson, (p, t) in lessons.items()]
    if upserts:
        psycopg2.extras.execute_values(
            cursor, "INSERT INTO bench.lesson_progress VALUES %s ON CONFLICT (course_id, stepik_user_id, lesson_id) DO UPDATE "
            "SET steps_passed = excluded.steps_passed, steps_total = excluded.steps_total, passed = excluded.passed", upserts,
            page_size=1000)
    db.commit()
    if not answer["meta"]["has_next"]:
        break
print(f"{rows} {time.process_time() - began:.3f}")
