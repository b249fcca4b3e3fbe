// The structure of one course as Stepik keeps it: sections, units, lessons, steps. Changes made while running
// (a step inserted, a lesson moved or removed) keep the slots of the steps that stay, so students' progress
// survives them.
#pragma once

#include "coursegate/base/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::sandbox {

enum class course_errc
{
    unknown_section = 1,
    unknown_lesson,
    unknown_position,
};
const std::error_category& course_category() noexcept;
std::error_code make_error_code(course_errc e) noexcept;

struct step
{
    std::int64_t id = 0;
    int position = 0;             // from 1, without gaps
    std::string block;            // "text", "choice", "code", …
    int worth = 0;                // points for passing
    int slot = -1;                // its bit in a student's row; -1: never appears in grades
    bool review = false;          // carries the three is_review_* fields
    bool giving_finished = false; // is_review_giving_finished is already true before it is passed
    bool integer_zero = false;    // its score shows as 0, not 0.0, before it is passed

    bool is_theory() const { return block == "text" || block == "video"; }
};

struct lesson
{
    std::int64_t id = 0;
    std::int64_t unit = 0;
    std::string title;
    std::vector<step> steps; // by position

    int slots() const; // how many of its steps appear in grades
};

struct section
{
    std::int64_t id = 0;
    std::string title;
    std::vector<lesson> lessons; // by position of their unit
};

// Where the ids of things added while running come from: one for all courses, far above the recorded ids.
class id_source
{
public:
    std::int64_t next() { return next_++; }

private:
    std::int64_t next_ = 700'000'001;
};

class course
{
public:
    // Reads the tab-separated form described at the top of course/247644.tsv. Throws std::invalid_argument
    // naming the line: the data is part of the program, so this is a bug.
    static course parse(std::string_view text);

    // The same course under another id. Sections and units get new ids; lessons and steps too, unless
    // `same_lessons`: Stepik lets one lesson live in several courses.
    course clone(std::int64_t id, std::int64_t offset, std::int64_t learners_group, bool same_lessons) const;

    std::int64_t id = 0;
    std::int64_t owner = 0;
    std::int64_t learners_group = 0;
    std::string title;

    const std::vector<section>& sections() const { return sections_; }
    int slots() const { return slots_; }       // slots ever given, also of steps that are gone
    int revision() const { return revision_; } // grows with every change of the structure

    const lesson* find_lesson(std::int64_t lesson_id) const;
    struct place
    {
        const sandbox::lesson* lesson = nullptr;
        const sandbox::step* step = nullptr;
    };
    place find_step(std::int64_t step_id) const; // both null when unknown

    // Later steps of the lesson move one position on. `in_grades` false plays a gradable step that Stepik
    // never lists. Errors: unknown_lesson, unknown_position.
    base::result<std::int64_t> insert_step(
        id_source& ids, std::int64_t lesson_id, int position, std::string block, bool in_grades);
    // Errors: unknown_section, unknown_position. A lesson of `steps` choice steps; 0 steps: one text step.
    base::result<std::int64_t> add_lesson(
        id_source& ids, std::int64_t section_id, int position, std::string title, int steps);
    // Position from 1 within the section, after the lesson was taken out. Errors: all three.
    base::result<void> move_lesson(std::int64_t lesson_id, std::int64_t section_id, int position);
    base::result<void> remove_lesson(std::int64_t lesson_id); // unknown_lesson

private:
    section* find_section(std::int64_t section_id);
    lesson* find(std::int64_t lesson_id);

    std::vector<section> sections_;
    int slots_ = 0;
    int revision_ = 1;
};

} // namespace coursegate::sandbox

template <>
struct std::is_error_code_enum<coursegate::sandbox::course_errc> : std::true_type
{};
