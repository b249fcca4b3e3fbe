// The catalog slice: courses with their sealed keys, the media map, subscriptions and rules. Every write here
// is one change with its audit row and its events, in the caller's transaction; a write that changes nothing
// leaves neither.
#pragma once

#include "domain/course.hpp"
#include "domain/media_map.hpp"
#include "domain/principal.hpp"

#include "coursegate/base/keyring.hpp"
#include "coursegate/db/pool.hpp"

#include <optional>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

struct put_course_result
{
    web_gateway::course course;
    bool created = false;
    bool changed = false;
};

// Creates or changes a course. `source` is who gives its keys: "admin" or "environment". A changed key,
// subscription, end, pace or state emits course_connected; a title alone does not. Throws `refused`:
// missing_field for a new course without Stepik's keys, or for a new client id without its secret.
put_course_result put_course(db::transaction& tx, const base::keyring& keys, const act& by,
    const course_settings& wish, const std::string& source);

std::vector<course> list_courses(db::transaction& tx);
std::optional<course> find_course(db::transaction& tx, std::int64_t course_id);
// Throws `refused`: course_not_found naming `field`.
course course_named(db::transaction& tx, std::int64_t course_id, const std::string& field);

// What opens Stepik and Boomstream for a course. Empty: not given, or its box does not open with our keys.
struct course_keys
{
    std::optional<base::secret> stepik_client_secret{};
    std::optional<base::secret> boomstream_api_key{};
};
course_keys keys_of(db::transaction& tx, const base::keyring& keys, std::int64_t course_id);

// Until the transaction ends nobody else changes the course, its media or its rules.
void lock_course(db::transaction& tx, std::int64_t course_id);

// The course with its media, its structure and its subscriptions, as plan_media wants them.
media_world read_media_world(db::transaction& tx, const course& c);

// Throws `refused` (structure_unknown, naming `field`) when Stepik's structure of the course was never read.
void require_structure(
    db::transaction& tx, const media_world& world, const course& c, const std::string& field);

// Plans and, unless a row is refused or it is a dry run, carries out a change of the media map: one writer of
// a course at a time (its row is locked). Emits lesson_media_changed with the lessons that changed.
// Subscriptions that are new are noted as groups, the careful assumption.
media_plan put_media(db::transaction& tx, const act& by, const course& c, const std::vector<media_part>& rows,
    std::optional<std::int64_t> whole_lesson, bool dry_run, bool whole_course = false);

// Returns true when the subscription is new. Throws `refused` (single_subscription, naming kind) when a
// subscription that holds several lessons is to be single. Emits lesson_media_changed for its lessons when
// the kind changed.
bool put_subscription(
    db::transaction& tx, const act& by, const course& c, const std::string& code, const std::string& kind);

std::vector<access_rule> rules_of(db::transaction& tx, std::int64_t course_id);

// Throws `refused`: module_not_found or lesson_not_found (scope_id), structure_unknown (course_id).
void put_rule(db::transaction& tx, const act& by, const course& c, const access_rule& rule);

// Throws `refused`: rule_not_found (scope, or scope_id).
void remove_rule(
    db::transaction& tx, const act& by, const course& c, const std::string& scope, std::int64_t scope_id);

} // namespace coursegate::web_gateway
