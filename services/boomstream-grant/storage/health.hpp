// What all instances share about Boomstream: whether each course's key works, and the rate of calls.
#pragma once

#include "coursegate/base/keyring.hpp"
#include "coursegate/db/pool.hpp"
#include "storage/books.hpp"

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace coursegate::boomstream_grant {

// Calls of these courses got an answer; those of `bad` were refused because of the key, in Boomstream's
// words. A course that turns bad is asked for nothing but a probe after 1, 2, 4, … and then every 30 s.
void note_health(
    db::transaction& tx, const std::set<std::int64_t>& good, const std::map<std::int64_t, std::string>& bad);

// Courses whose key is missing or can't be opened turn bad, with a sentence for the author. Makes a row for
// every course.
void check_keys(db::transaction& tx, const base::keyring& keys, const std::vector<course_row>& courses);

// The author may have put it right: probe at once.
void probe_at_once(db::transaction& tx, std::int64_t course_id);

struct probe
{
    std::int64_t course_id = 0;
    base::secret api_key;
    std::string subscription; // empty: the course has none, so nothing can be asked and nothing is wrong
};

// Bad courses whose probe is due, each given to one instance.
std::vector<probe> take_probes(
    db::transaction& tx, const base::keyring& keys, const std::vector<course_row>& courses);

// --- The shared rate
// ------------------------------------------------------------------------------------------------

struct taken
{
    int calls = 0;
    std::chrono::microseconds
        wait{}; // until the first may start; with 0 calls: until it is worth asking again
};
taken take_calls(db::transaction& tx, int calls, double rate, std::chrono::microseconds burst, bool urgent);

// Boomstream asked for a pause: no instance calls before it is over.
void pause_calls(db::transaction& tx, std::chrono::milliseconds d);

void report_provider(db::transaction& tx, const std::string& circuit, double rate);

struct waiting
{
    int fresh = 0, backfill = 0; // grants not confirmed yet
    int bad_courses = 0;
};
waiting count_waiting(db::transaction& tx);

} // namespace coursegate::boomstream_grant
