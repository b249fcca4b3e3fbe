// Everything the sandbox holds in memory: accounts and applications at Stepik, courses with their grade
// books, Boomstream projects, and what the control API set. Lives on one executor; not thread safe.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/result.hpp"
#include "domain/calls.hpp"
#include "domain/course.hpp"
#include "domain/faults.hpp"
#include "domain/gradebook.hpp"
#include "domain/ppv.hpp"
#include "domain/settings.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace coursegate::sandbox {

enum class world_errc
{
    taken = 1, // the id, client id or code exists already
    unknown_course,
    unknown_project,
};
const std::error_category& world_category() noexcept;
std::error_code make_error_code(world_errc e) noexcept;

// The sample course's data, as text (embedded in the program).
struct sample
{
    std::string_view course;       // course/247644.tsv
    std::string_view recorded_row; // course/recorded-row.tsv
};

// An application registered at Stepik; its client_credentials token acts as `account`.
struct application
{
    std::string client_id, client_secret;
    std::int64_t account = 0;
};

struct classroom
{
    explicit classroom(sandbox::course c) : course(std::move(c)), grades(course) {}

    sandbox::course course;
    gradebook grades;
    std::string project_key; // the Boomstream project with its videos
};

class world
{
public:
    static constexpr std::int64_t sample_course = 247644;
    static constexpr std::int64_t first_student = 900'001'001;

    world(const base::clock& clock, sample data);

    // Back to the start: the sample course with its one recorded (staff) row, client "sandbox-client" /
    // "sandbox-secret", project key "sandbox-key" with subscription SBXGROUP and one single subscription per
    // lesson.
    void reset();

    base::time_point now() const { return clock_.now(); }

    sandbox::settings settings;
    fault_plan faults;
    call_book calls;
    seeded_random random;

    // Stepik
    // ---------------------------------------------------------------------------------------------------
    const std::vector<std::unique_ptr<classroom>>& classrooms() const { return classrooms_; }
    classroom* find_course(std::int64_t id) const;

    struct course_request
    {
        std::int64_t id = 0;
        std::string title; // empty: the sample's
        std::string client_id, client_secret;
        std::string project_key; // empty: the sample's project; a new key makes a new project
        bool same_lessons = false;
    };
    base::result<classroom*> add_course(const course_request& r); // taken (course or client id)

    const person* find_person(std::int64_t id) const;
    const person& add_person(
        std::int64_t id, std::string first_name, std::string last_name, std::string email);
    std::int64_t next_student() { return next_student_; }

    struct student_request
    {
        std::optional<std::int64_t> user;         // empty: the next from 900001001
        std::string first_name, last_name, email; // empty: invented from the id
        bool is_teacher = false;
        std::int64_t klass = 0;
        int passed_lessons = 0;
        bool viewed = false; // opened the course at least once
        std::optional<base::time_point> joined_at;
    };
    const enrolment& add_student(classroom& c, const student_request& r);

    // A student passes in every course that has the step and in which he is enrolled; the answer is for `c`.
    base::result<gradebook::passed> pass_lesson(
        classroom& c, std::int64_t user, std::int64_t lesson, int tries);
    base::result<gradebook::passed> pass_step(classroom& c, std::int64_t user, std::int64_t step, int tries);

    const application* find_application(std::string_view client_id) const;
    const std::map<std::string, application, std::less<>>& applications() const { return applications_; }
    std::string issue_token(std::int64_t account); // random; good for settings.token_seconds
    // What a person agreed to: good once, for the same application and address, within a minute.
    std::string issue_code(const application& a, std::int64_t account, std::string redirect_uri);
    // Takes a code; nullopt when it is not good. Whatever it was given for, it is spent.
    std::optional<std::int64_t> take_code(
        std::string_view code, const application& a, std::string_view redirect_uri);
    // The account behind a token; nullopt when it is unknown or expired.
    std::optional<std::int64_t> account_of(std::string_view token) const;
    void expire_tokens() { tokens_.clear(); }

    id_source ids;

    // Boomstream
    // -----------------------------------------------------------------------------------------------
    const std::vector<std::unique_ptr<project>>& projects() const { return projects_; }
    project* find_project(std::string_view key) const;
    project* project_with_medium(std::string_view code) const;
    // Makes sure every lesson of the course has a video and a single subscription in its project.
    void film(const classroom& c);

    // Codes given to a lesson of a project.
    std::string media_code(const project& p, std::int64_t lesson) const;
    std::string single_code(const project& p, std::int64_t lesson) const;
    std::string group_code(const project& p) const;

private:
    struct token
    {
        std::int64_t account = 0;
        base::time_point expires_at{};
    };
    struct given_code
    {
        std::string client_id, redirect_uri;
        std::int64_t account = 0;
        base::time_point expires_at{};
    };
    int series_of(const project& p) const;
    project& add_project(std::string key, std::string name);

    const base::clock& clock_;
    sample data_;
    std::unordered_map<std::int64_t, std::unique_ptr<person>> people_;
    std::vector<std::unique_ptr<classroom>> classrooms_;
    std::map<std::string, application, std::less<>> applications_;
    std::unordered_map<std::string, token> tokens_;
    std::unordered_map<std::string, given_code> codes_;
    std::vector<std::unique_ptr<project>> projects_;
    std::int64_t next_student_ = first_student;
};

} // namespace coursegate::sandbox

template <>
struct std::is_error_code_enum<coursegate::sandbox::world_errc> : std::true_type
{};
