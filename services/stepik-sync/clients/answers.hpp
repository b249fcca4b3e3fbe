// What Stepik's answers say, parsed. simdjson stays in answers.cpp: an answer of the grade book is 1.2 MB and
// most of it is skipped. Unknown fields, null, int for float and float for int are all fine.
//
// Errors: stepik_errc::bad_answer (not JSON, cut, or not the list that was asked for).
#pragma once

#include "coursegate/base/result.hpp"
#include "domain/grades.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::stepik_sync {

struct grades_page
{
    std::vector<grade_row> rows; // point into the body
    bool has_next = false;
    int malformed = 0;     // rows left out
    std::string complaint; // what was wrong with the first of them; never a value from it
};

// `body` must outlive the page. Its capacity is extended where simdjson needs room behind the text.
base::result<grades_page> parse_grades(std::string& body);

// The results of one row. The view must lie inside a body that parse_grades has seen (there is room behind
// it).
base::result<grade_results> parse_results(std::string_view raw);

struct course_answer
{
    std::int64_t id = 0;
    std::string title;
    std::vector<std::int64_t> sections;
    std::optional<int> learners_count;
    std::optional<bool> can_view_grades; // nullopt: the answer does not say
    bool has_learners_group = false;
    std::string mark; // differs when the course was edited
};

struct section_answer
{
    std::int64_t id = 0;
    std::optional<int> position;
    std::string title;
    std::vector<std::int64_t> units;
};

struct unit_answer
{
    std::int64_t id = 0;
    std::int64_t lesson = 0;
    std::optional<int> position;
};

struct lesson_answer
{
    std::int64_t id = 0;
    std::string title;
    std::vector<std::int64_t> steps;
    bool is_blank = false; // made and never filled: having no steps is the truth
};

struct step_answer
{
    std::int64_t id = 0;
    std::int64_t lesson = 0;
    std::optional<int> position;
    std::string block;
};

template <class T>
struct list_answer
{
    std::vector<T> items; // those that could be read
    bool has_next = false;
    int malformed = 0;
};

base::result<list_answer<course_answer>> parse_courses(std::string& body);
base::result<list_answer<section_answer>> parse_sections(std::string& body);
base::result<list_answer<unit_answer>> parse_units(std::string& body);
base::result<list_answer<lesson_answer>> parse_lessons(std::string& body);
base::result<list_answer<step_answer>> parse_steps(std::string& body);

struct token_answer
{
    std::string access_token;
    std::chrono::seconds expires_in{0};
};
base::result<token_answer> parse_token(const std::string& body);

// The sentence of an error body ({"detail": …} or {"error": …}), shortened and on one line; empty when there
// is none.
std::string error_detail(const std::string& body);

} // namespace coursegate::stepik_sync
