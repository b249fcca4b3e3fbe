// Is the connection to a course in order, and if not, what should its author do? Facts in, sentences out.
#pragma once

#include "coursegate/base/clock.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::stepik_sync {

enum class token_state
{
    unknown, // never asked
    ok,
    wrong_secret,   // Stepik does not accept the application's id or secret
    refused,        // Stepik gave a token and refuses it
    unreadable_key, // the stored secret can't be opened with our SECRET_KEY
};
std::string_view to_string(token_state s);
token_state token_state_from(std::string_view word); // unknown for another word

struct connection_facts
{
    bool is_paused = false; // by the author: nothing is read, and that is no fault
    token_state token = token_state::unknown;
    bool course_found = true;
    std::optional<bool> can_view_grades;    // actions.view_grade_book of the course object
    std::optional<bool> has_learners_group; // learners_group is not null
    int failed_calls = 0;                   // in a row
    std::optional<base::time_point> failing_since;
    std::optional<base::time_point> rate_limited_until;
    std::string last_error;
    base::time_point connected_at{};
    std::optional<base::time_point> last_good_sweep_at;
    std::optional<base::time_point> last_structure_at;
    bool sweep_running = false; // and getting on
    std::chrono::seconds sweep_every{300};
    int lessons = 0; // in the course, as last read
    int unreadable_lessons = 0;
    int skipped_rows = 0;                  // of the last good sweep
    std::vector<std::string> absent_steps; // "lesson “…”, step 3": in the structure, in no student's grades
};

struct problem
{
    std::string name;     // "wrong_secret": for metrics
    std::string sentence; // for the author
    bool blocking = true; // progress can't be read; otherwise only worth knowing
};

// Most important first; empty when all is well.
std::vector<problem> problems(const connection_facts& f, base::time_point now);

// What one exchange with Stepik says about the connection. Empty members leave what is known.
struct health_note
{
    enum class call
    {
        none,   // no call was made
        worked, // it answered
        failed, // it did not, or not with anything usable
    };
    call last_call = call::none;
    std::optional<token_state> token;
    std::optional<bool> course_found;
    std::optional<bool> can_view_grades;
    std::optional<bool> has_learners_group;
    std::string error; // kept as the last error, when there is one
};

} // namespace coursegate::stepik_sync
