// What authors and Stepik say about a course, read from the views of catalog and learning.
//
// A book is the same for all students of a course and changes seldom, so a worker keeps it. It is good while
// the course's version (access.course_versions, raised in the transaction that names the students a change
// concerns) is the one it was read with, and for a minute at most: should an event be lost, the next sweep
// sees the change all the same.
#pragma once

#include "coursegate/base/keyring.hpp"
#include "coursegate/db/pool.hpp"
#include "domain/rules.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace coursegate::boomstream_grant {

// A course as its row in catalog.v_courses says, with what access knows of its key.
struct course_row
{
    std::int64_t course_id = 0;
    bool connected = true;
    std::optional<std::string> default_subscription;
    base::time_point ends_at{};
    std::string api_key_box; // empty: the author gave no key
    bool key_works = true;   // provider_health.ok
    bool opens_to_all =
        false; // some rule of the course is `always`: it concerns accounts that are not enrolled too
    std::int64_t version = 0;
};

// Every course of the catalog. Few: one row per course.
std::vector<course_row> read_courses(db::transaction& tx);

struct kept_book
{
    std::shared_ptr<const course_book> book;
    std::int64_t version = 0;
    std::chrono::steady_clock::time_point read_at;
};

struct books_read
{
    std::map<std::int64_t, std::shared_ptr<const course_book>> all;
    std::vector<kept_book> fresh; // read just now: for keep(), after the commit
};

// Thread safe. One per process.
class course_books
{
public:
    // The book of each course named. Writes media_since for videos seen for the first time.
    books_read get(
        db::transaction& tx, const std::vector<course_row>& courses, const std::set<std::int64_t>& wanted);

    // Not before the commit: what get() wrote might be undone, and what it read with it.
    void keep(std::vector<kept_book> fresh);

private:
    std::mutex mutex_;
    std::map<std::int64_t, kept_book> books_;
};

} // namespace coursegate::boomstream_grant
