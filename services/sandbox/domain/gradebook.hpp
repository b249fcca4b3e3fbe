// Who is enrolled in one course, what they passed, and the rows of `course-grades`, shaped byte for byte like
// the recorded one.
//
// A row is 60 KB and a sweep of 10,000 students reads 600 MB, so rows are put together from prepared pieces:
// per step passed and not passed, and per lesson for the two common cases "nothing" and "everything passed".
//
// The book keeps what a student did and what the grades show apart: with a staleness delay the second follows
// later.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/result.hpp"
#include "domain/course.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace coursegate::sandbox {

enum class grade_errc
{
    unknown_student = 1, // not enrolled in this course
    unknown_lesson,
    unknown_step,
    nothing_to_pass, // the lesson or step never appears in grades
};
const std::error_category& grade_category() noexcept;
std::error_code make_error_code(grade_errc e) noexcept;

struct person
{
    std::int64_t id = 0;
    std::string first_name, last_name;
    std::string email;
    base::time_point joined_at{};
};

// One bit per slot of the course; slots beyond what is stored are 0.
class slot_set
{
public:
    bool test(int slot) const
    {
        const auto word = static_cast<std::size_t>(slot) / 64;
        return word < words_.size() && ((words_[word] >> (static_cast<unsigned>(slot) % 64)) & 1U) != 0;
    }
    void set(int slot)
    {
        const auto word = static_cast<std::size_t>(slot) / 64;
        if (word >= words_.size())
            words_.resize(word + 1);
        words_[word] |= std::uint64_t{1} << (static_cast<unsigned>(slot) % 64);
    }

private:
    std::vector<std::uint64_t> words_;
};

// A step that took more than one try, or was tried in vain.
struct attempt
{
    int slot = 0;
    int first_success = 0; // number of the successful try; 0: none yet
    int total = 0;
};

struct enrolment
{
    std::int64_t row_id = 0;
    std::int64_t member_id = 0;
    const sandbox::person* person = nullptr;
    std::int64_t klass = 0; // 0: in no class
    bool is_teacher = false;
    base::time_point joined_at{};
    std::optional<base::time_point> viewed_at; // empty: never opened the course, the row has no results
    slot_set passed;                           // what the student did
    slot_set shown;                            // what the grades show of it
    std::vector<attempt> attempts;             // by slot
    int score = 0;                             // of what is shown
    std::vector<std::size_t> unserved;         // passes no grades answer has carried yet: indices of passes()
};

// One lesson of one student that became passed while the sandbox ran.
struct pass_record
{
    std::int64_t user = 0;
    std::int64_t lesson = 0;
    base::time_point passed_at{};
    base::time_point visible_at{};               // passed_at + staleness
    std::optional<base::time_point> served_at{}; // the first grades answer that showed it left at
};

struct grade_query
{
    std::optional<std::int64_t> user, klass;
    std::optional<bool> is_teacher;
    std::string search; // part of the name or e-mail, or a whole user id
    std::string order;  // "-score,-id": keys id, score, last_viewed; others are ignored
    int page = 1;
    int page_size = 20;
};

struct grade_page
{
    std::vector<std::size_t> rows; // indices of enrolments()
    bool has_next = false;
    bool has_previous = false;
};

// Not thread safe. `c` must outlive it.
class gradebook
{
public:
    explicit gradebook(course& c) : course_(c) {}

    struct enrol_options
    {
        bool is_teacher = false;
        std::int64_t klass = 0;
        base::time_point joined_at{};
        std::optional<base::time_point> viewed_at;
        int passed_lessons = 0; // of the course's gradable lessons, in course order; not listed in passes()
    };
    // The row that is there already when the person is enrolled.
    enrolment& enrol(const person& p, const enrol_options& o);

    const std::vector<enrolment>& enrolments() const { return enrolments_; }
    const enrolment* find(std::int64_t user) const;
    const std::deque<pass_record>& passes() const { return passes_; }

    // Adds the recorded row (course/recorded-row.tsv) to this course. Throws std::invalid_argument naming the
    // line.
    void enrol_recorded(const person& p, std::string_view text);

    // What one call to pass() changed.
    struct passed
    {
        int steps = 0;                     // newly passed
        std::vector<std::int64_t> lessons; // that became whole by it
    };
    // All gradable steps of the lesson. `tries`: the number of the successful try. Passing again changes
    // nothing. Errors: unknown_student, unknown_lesson, nothing_to_pass.
    base::result<passed> pass_lesson(std::int64_t user, std::int64_t lesson_id, base::time_point now,
        base::duration staleness, int tries = 1);
    // Errors: unknown_student, unknown_step, nothing_to_pass.
    base::result<passed> pass_step(std::int64_t user, std::int64_t step_id, base::time_point now,
        base::duration staleness, int tries = 1);
    // Only looks at the course: last_viewed moves, nothing else. unknown_student.
    base::result<void> view(std::int64_t user, base::time_point now);
    // A wrong submission: its count grows. unknown_student, unknown_step, nothing_to_pass.
    base::result<void> fail_step(std::int64_t user, std::int64_t step_id, base::time_point now);

    // The grades catch up: with everything due by `now`, or with all of one row (course-grades/{id}/refresh).
    void catch_up(base::time_point now);
    bool refresh(std::int64_t row_id, base::time_point now); // false: no such row

    grade_page select(const grade_query& q) const;

    // One row as JSON. `served` collects the passes (indices of passes()) that this row is the first to show.
    void append_row(
        std::string& out, std::size_t row, base::time_point now, std::vector<std::size_t>& served) const;
    void mark_served(const std::vector<std::size_t>& served, base::time_point now);

    struct progress
    {
        int passed = 0, total = 0;
    };
    progress lesson_progress(const enrolment& e, const lesson& l) const;
    int passed_by(const step& s) const; // students who passed it, as steps show it

private:
    struct piece // one step, ready to print
    {
        int slot = 0;
        int worth = 0;
        std::string key; // `"1855603-2":{"step_id":7689619,"is_passed":`
        bool review = false, giving_finished = false, integer_zero = false;
        std::string passed, untouched;
    };
    struct block // one lesson
    {
        std::vector<piece> pieces;
        std::string all_passed, untouched;
    };
    struct pending
    {
        std::size_t row = 0;
        int slot = 0;
        int worth = 0;
    };

    void lay_out() const; // rebuilds blocks_ when the course changed
    static std::string print(const piece& p, bool is_passed, int first_success, int total);
    base::result<std::size_t> row_of(std::int64_t user) const;
    passed pass(std::size_t row, const std::vector<const step*>& steps, base::time_point now,
        base::duration staleness, int tries);
    void show(std::size_t row, int slot, int worth);
    attempt& attempt_of(enrolment& e, int slot);

    course& course_;
    std::vector<enrolment> enrolments_;
    std::unordered_map<std::int64_t, std::size_t> by_user_;
    std::deque<pass_record> passes_;
    std::multimap<base::time_point, pending> pending_;
    std::vector<int> passed_by_; // per slot
    std::uint64_t changes_ = 0;

    mutable std::vector<block> blocks_; // in the order of the recorded row: section, lesson id, step id
    mutable int laid_out_ = 0;          // revision of the course that blocks_ stands for
    mutable std::string
        selected_for_; // the last filter and order, and what it selected: pages of one sweep share it
    mutable std::uint64_t selected_at_ = 0;
    mutable std::vector<std::size_t> selected_;
};

} // namespace coursegate::sandbox

template <>
struct std::is_error_code_enum<coursegate::sandbox::grade_errc> : std::true_type
{};
