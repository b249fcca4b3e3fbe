// Finding people for staff, and everything that happened around one of them.
#pragma once

#include "domain/staff.hpp"
#include "domain/user.hpp"

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

// Whom somebody sees: those who sees_all everybody, an author the people whom Stepik lists in one of his
// courses, who have a grant there, or whom he has created.
struct student_scope
{
    bool everybody = false;
    std::vector<std::int64_t> courses;
    std::string creator; // as the audit log names him
};

struct found_student
{
    web_gateway::user user;
    std::string telegram_username;
    bool is_staff = false;             // has a role besides student
    std::string created_by;            // as the audit log names him; empty: not known
    std::vector<std::int64_t> courses; // where Stepik lists him, of those the one who looks sees
};

// Newest first. `words`: part of the e-mail, the name or the Telegram name, or a whole Stepik id; empty: all.
std::vector<found_student> search_students(db::transaction& tx, const student_scope& scope,
    const std::string& words, const std::optional<base::uuid>& before, int limit);

// Nothing for somebody out of scope, as for nobody.
std::optional<found_student> student_in(
    db::transaction& tx, const student_scope& scope, const base::uuid& id);

struct timeline_item
{
    base::time_point at{};
    std::string what;         // type of the event ("lesson_passed"), or of the change ("user.rotate_code")
    bool by_somebody = false; // a row of the audit log; else an event
    std::string who;          // of the audit row
    std::string why;
    std::optional<std::int64_t> course_id{};
    std::optional<std::int64_t> lesson_id{};
    std::string lesson_title;
};

// Newest first: events of the courses in scope, and what people did with or about this student. `limit` of
// them.
std::vector<timeline_item> timeline_of(
    db::transaction& tx, const student_scope& scope, const user& who, int limit);

} // namespace coursegate::web_gateway
