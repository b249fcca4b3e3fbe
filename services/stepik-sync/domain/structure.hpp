// What a course consists of, and how two readings of it differ.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::stepik_sync {

// Theory (text, video) never has a result; every other block type is a task. Unknown types are tasks: taking
// a task for theory could open a lesson that nobody passed.
bool is_theory(std::string_view block);

struct course_step
{
    std::int64_t id = 0;
    int position = 0;
    std::string block; // empty: Stepik did not give the step
    bool gradable = false;
};

struct course_lesson
{
    std::int64_t id = 0;
    std::int64_t module_id = 0;
    int position = 0; // within its module
    std::string title;
    std::vector<course_step> steps;
    bool opaque = false; // Stepik did not show the lesson or its steps: what is known of it stays

    // At least 1 for an opaque lesson of which nothing is known: a lesson without tasks may be opened by
    // rule, and one must not become such by being hidden from us.
    int gradable_steps() const;
};

struct course_module
{
    std::int64_t id = 0;
    int position = 0;
    std::string title;
};

struct course_structure
{
    std::vector<course_module> modules;
    std::vector<course_lesson> lessons;
};

// One reading. Objects that Stepik did not give are named, so that their absence is not taken for their end.
struct structure_reading
{
    course_structure read;
    std::set<std::int64_t>
        skipped_modules;           // in the course's list, but unreadable: what is known of them stays
    bool units_incomplete = false; // some unit was unreadable: no lesson can be called vanished
};

// What is stored of a course.
struct known_lesson
{
    std::int64_t id = 0;
    std::int64_t module_id = 0;
    int position = 0;
    std::string title;
    int steps_amount = 0;
    int gradable_steps = 0;
    bool vanished = false;
};
struct known_step
{
    std::int64_t id = 0;
    std::int64_t lesson_id = 0;
    int position = 0;
    std::string block;
    bool gradable = false;
    bool vanished = false;
};
struct known_structure
{
    std::vector<course_module> modules; // not vanished
    std::vector<known_lesson> lessons;
    std::vector<known_step> steps;
};

// What to write. Nothing is ever deleted: progress and grants name these ids.
struct structure_change
{
    course_structure now; // modules and lessons to store; opaque lessons with what is known of their steps
    std::vector<std::int64_t> added;    // lessons, ascending
    std::vector<std::int64_t> moved;    // in another module, or at another place
    std::vector<std::int64_t> vanished; // lessons gone from the course
    std::vector<std::int64_t> vanished_modules;
    std::vector<std::int64_t> vanished_steps;
    bool differs = false; // anything at all, titles and steps included
    int steps = 0;        // of the lessons in the course now
    std::vector<std::int64_t> lessons_without_tasks;
};

// `seen_in_grades`: steps that rows of the grade book list; they are gradable whatever their block type says.
structure_change difference(const known_structure& known, const structure_reading& reading,
    const std::set<std::int64_t>& seen_in_grades);

} // namespace coursegate::stepik_sync
