#include "handlers/on_sync_requested.hpp"

#include "handlers/progress_metrics.hpp"

#include <algorithm>

namespace coursegate::stepik_sync {

namespace {

// For the student as well as for the author: no codes, no names of ours.
std::string sentence_for(const base::error& e)
{
    if (e.code == stepik_errc::unreachable || e.code == stepik_errc::server_error ||
        e.code == stepik_errc::bad_answer)
        return "Stepik did not answer; please try again in a minute.";
    if (e.code == stepik_errc::busy)
        return "Stepik is slow just now; please try again in a minute.";
    if (e.code == stepik_errc::rate_limited)
        return "Stepik asks us to wait; please try again in a few minutes.";
    return "The course's connection to Stepik is not in order; its author can see why in the course's "
           "settings.";
}

} // namespace

on_sync_requested::on_sync_requested(
    stepik_client& stepik, request_store& requests, connection_watch& watch, const base::keyring& keys)
    : stepik_(&stepik), requests_(&requests), watch_(&watch), keys_(&keys)
{}

async::task<events::verdict> on_sync_requested::operator()(
    const events::sync_requested& e, events::message_context& context) const
{
    const auto because = context.envelope.as_cause();
    const auto turn = co_await requests_->open(e, because);
    if (turn.what == request_turn::state::answered)
        co_return events::verdict::ack();
    const std::string failed = "failed";
    if (!turn.course.is_connected) {
        const std::string detail = "This course is not connected, or its author has paused it.";
        co_await requests_->answer(e, failed, detail, because);
        co_return events::verdict::ack();
    }
    const auto app = unseal(*keys_, turn.course);
    if (!app.has_value()) {
        co_await watch_->failed(e.course_id, app.error());
        const std::string detail = sentence_for(app.error());
        co_await requests_->answer(e, failed, detail, because);
        co_return events::verdict::ack();
    }

    auto answer = co_await stepik_->grades_of(*app, e.stepik_user_id);
    if (!answer.has_value()) {
        co_await watch_->failed(e.course_id, answer.error());
        const std::string detail = sentence_for(answer.error());
        co_await requests_->answer(e, failed, detail, because);
        co_return events::verdict::ack();
    }
    // Only the row that was asked for, whatever else stands in the answer.
    std::erase_if(answer->page.rows, [&](const grade_row& row) { return row.user != e.stepik_user_id; });
    if (answer->page.rows.empty() || answer->page.rows.front().is_teacher) {
        const bool is_unreadable = answer->page.rows.empty() && answer->page.malformed > 0;
        const bool is_teacher = !answer->page.rows.empty();
        const std::string outcome = is_unreadable ? failed : std::string("not_enrolled");
        const std::string detail =
            is_unreadable ? "Stepik's answer could not be understood."
            : is_teacher  ? "On Stepik this account teaches the course; it has no progress of its own."
                          : "On Stepik this account is not enrolled in the course.";
        co_await requests_->answer(e, outcome, detail, because);
        co_return events::verdict::ack();
    }
    rows_to_save rows;
    rows.course_id = e.course_id;
    rows.rows = &answer->page.rows;
    rows.read_at = turn.database_time(answer->last_byte_at);
    rows.read_results = parse_results;
    rows.because = because;
    const auto saved = co_await requests_->checked(e, rows);
    count_rows(saved, 0, "check", std::chrono::steady_clock::now() - answer->last_byte_at);
    co_return events::verdict::ack();
}

} // namespace coursegate::stepik_sync
