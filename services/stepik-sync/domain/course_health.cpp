#include "domain/course_health.hpp"

#include <algorithm>

namespace coursegate::stepik_sync {

namespace {

// A call that failed once and then worked is no news; three in a row are.
constexpr int failures_worth_telling = 3;

std::string clock_text(base::time_point t)
{
    const std::string iso = base::to_iso8601(t); // 2026-01-02T03:04:05.678901Z
    return iso.substr(0, 10) + " " + iso.substr(11, 5) + " UTC";
}

std::string minutes_text(std::chrono::seconds s)
{
    const auto minutes = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::minutes>(s).count());
    return std::to_string(minutes) + (minutes == 1 ? " minute" : " minutes");
}

std::string count_text(std::size_t n, const char* one, const char* many)
{
    return std::to_string(n) + " " + (n == 1 ? one : many);
}

} // namespace

std::string_view to_string(token_state s)
{
    switch (s) {
    case token_state::ok:
        return "ok";
    case token_state::wrong_secret:
        return "wrong_secret";
    case token_state::refused:
        return "refused";
    case token_state::unreadable_key:
        return "unreadable_key";
    case token_state::unknown:
        break;
    }
    return "unknown";
}

token_state token_state_from(std::string_view word)
{
    for (const auto s :
        {token_state::ok, token_state::wrong_secret, token_state::refused, token_state::unreadable_key})
        if (to_string(s) == word)
            return s;
    return token_state::unknown;
}

std::vector<problem> problems(const connection_facts& f, base::time_point now)
{
    std::vector<problem> out;
    const auto add = [&out](const char* name, std::string sentence, bool blocking) {
        out.push_back({name, std::move(sentence), blocking});
    };

    if (f.is_paused) {
        add("paused",
            "The course is paused: progress is not read until it is resumed in the course's settings.",
            false);
        return out;
    }

    switch (f.token) {
    case token_state::unreadable_key:
        add("unreadable_key",
            "The stored secret of the Stepik application can't be opened with this installation's key: enter "
            "the "
            "application's secret again in the course's settings.",
            true);
        break;
    case token_state::wrong_secret:
        add("wrong_secret",
            "Stepik does not accept the application's id or secret: look them up at "
            "stepik.org/oauth2/applications "
            "(client type “confidential”, grant type “client credentials”) and enter both again in the "
            "course's "
            "settings.",
            true);
        break;
    case token_state::refused:
        add("token_refused",
            "Stepik issued an access token and then refused it: open the application at "
            "stepik.org/oauth2/applications and check that it still exists, or make a new one and enter its "
            "id and "
            "secret.",
            true);
        break;
    case token_state::ok:
    case token_state::unknown:
        break;
    }

    if (!f.course_found)
        add("course_not_found",
            "Stepik does not know this course, or does not show it to the application's owner: check the "
            "course's "
            "number (it stands in its address, stepik.org/course/<number>).",
            true);
    if (f.can_view_grades == false)
        add("grade_book_not_visible",
            "The owner of the Stepik application may not see this course's grade book: create the "
            "application from "
            "the account of the course's author, or make its owner a teacher or assistant of the course.",
            true);
    if (f.has_learners_group == false)
        add("learners_not_visible",
            "Stepik does not show the list of this course's learners to the owner of the Stepik application, "
            "so "
            "students can't be found by e-mail: make the owner a member of the course's staff.",
            false);

    if (f.failed_calls >= failures_worth_telling)
        add("stepik_unreachable",
            "Stepik has not given a usable answer" +
                (f.failing_since ? " since " + clock_text(*f.failing_since) : std::string{}) +
                (f.last_error.empty() ? std::string{} : " (" + f.last_error + ")") +
                ": it is asked again by itself, and nothing is lost meanwhile.",
            true);
    if (f.rate_limited_until && *f.rate_limited_until > now)
        add("rate_limited",
            "Stepik asked for fewer requests: reading goes on at " + clock_text(*f.rate_limited_until) + ".",
            false);

    if (f.last_structure_at && f.lessons == 0)
        add("structure_empty",
            "Stepik shows no lessons in this course: check that the course has lessons and that the owner of "
            "the "
            "Stepik application may see them.",
            true);

    // Three intervals, or what a big course needs if that is longer: a sweep that runs and gets on is no
    // fault.
    const auto patience = 3 * f.sweep_every + std::chrono::minutes(1);
    const auto since = f.last_good_sweep_at.value_or(f.connected_at);
    if (!f.sweep_running && now - since > patience)
        add("sweep_too_old",
            f.last_good_sweep_at
                ? "The progress of all students was last read at " + clock_text(*f.last_good_sweep_at) +
                      ", although it should be read every " + minutes_text(f.sweep_every) + "."
                : "The progress of all students has not been read yet, although the course was connected "
                  "at " +
                      clock_text(f.connected_at) + ".",
            true);

    if (f.unreadable_lessons > 0)
        add("lessons_not_visible",
            "Stepik does not show the steps of " +
                count_text(static_cast<std::size_t>(f.unreadable_lessons), "lesson", "lessons") +
                " to the owner of the Stepik application: whether they have tasks is not known.",
            false);
    if (!f.absent_steps.empty()) {
        std::string names;
        const std::size_t shown = std::min<std::size_t>(f.absent_steps.size(), 5);
        for (std::size_t i = 0; i < shown; ++i)
            names += (i == 0 ? "" : "; ") + f.absent_steps[i];
        if (shown < f.absent_steps.size())
            names += "; and " + std::to_string(f.absent_steps.size() - shown) + " more";
        add("steps_without_grades",
            count_text(f.absent_steps.size(), "task of the course is", "tasks of the course are") +
                " in no student's grades, and lessons do not wait for " +
                (f.absent_steps.size() == 1 ? "it" : "them") + ": " + names + ".",
            false);
    }
    if (f.skipped_rows > 0)
        add("rows_skipped",
            count_text(static_cast<std::size_t>(f.skipped_rows), "row", "rows") +
                " of Stepik's grade book could not be understood in the last reading; the other students are "
                "up to date.",
            false);
    return out;
}

} // namespace coursegate::stepik_sync
