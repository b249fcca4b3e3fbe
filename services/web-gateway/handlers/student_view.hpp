// What is known of a student's courses at one moment, and where each lesson stands: what the dashboard and
// the lesson's own page have in common. The facts and the words are those of GET /v1/why (domain/trail.hpp,
// domain/texts.hpp), for all lessons at once.
#pragma once

#include "domain/estimate.hpp"
#include "domain/trail.hpp"
#include "handlers/visitor.hpp"
#include "storage/student_courses.hpp"

#include <functional>
#include <map>
#include <string_view>
#include <vector>

namespace coursegate::web_gateway {

struct student_view
{
    trail_student student;
    std::vector<student_course> courses;
    // Of the courses where a check waits.
    std::map<std::int64_t, sync_estimate> estimates;
    base::time_point now{};
};

student_view read_view(db::transaction& tx, const visitor& who);

enum class look
{
    open,
    moving, // nothing to do but wait
    locked,
};
std::string_view to_string(look l); // also the name of its style
std::string_view word_of(look l);   // a text of the catalogue

// One lesson that the student is shown.
struct seen_lesson
{
    const student_lesson& facts;
    const trail& t; // lives as long as the call
    stage at;
    look seen;
    bool follows; // comes with the lesson before it, and that one is open or on its way
};

// Calls `show` for each lesson of the course in its order. One that has left the course and is not open is
// left out.
void each_lesson(
    const student_view& v, const student_course& c, const std::function<void(const seen_lesson&)>& show);

} // namespace coursegate::web_gateway
