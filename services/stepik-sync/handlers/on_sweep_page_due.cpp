#include "handlers/on_sweep_page_due.hpp"

#include "handlers/progress_metrics.hpp"

namespace coursegate::stepik_sync {

on_sweep_page_due::on_sweep_page_due(stepik_client& stepik, sweep_store& sweeps, structure_store& structure,
    connection_watch& watch, const base::keyring& keys)
    : stepik_(&stepik), sweeps_(&sweeps), structure_(&structure), watch_(&watch), keys_(&keys)
{}

async::task<events::verdict> on_sweep_page_due::operator()(
    const events::sweep_page_due& e, events::message_context& context) const
{
    const auto claim = co_await sweeps_->claim(e, context.envelope.id);
    if (!claim)
        co_return events::verdict::ack();
    if (!claim->course.is_connected) {
        co_await sweeps_->abandon(*claim);
        co_return events::verdict::ack();
    }
    const auto app = unseal(*keys_, claim->course);
    if (!app.has_value()) {
        co_await watch_->failed(e.course_id, app.error());
        co_await sweeps_->fail(*claim, true);
        count_page("failed");
        co_return events::verdict::ack();
    }
    const bool was_read = co_await read_page(*claim, *app, context);
    if (was_read && e.page == 1)
        co_await look_at_course(*app);
    co_return events::verdict::ack();
}

async::task<bool> on_sweep_page_due::read_page(
    const page_claim& claim, const application& app, events::message_context& context) const
{
    const std::int64_t course_id = app.course_id;
    const auto because = context.envelope.as_cause();
    page_saved saved;
    {
        const auto answer = co_await stepik_->grades_page(app, claim.page);
        const auto code = answer.has_value() ? std::error_code() : answer.error().code;
        if (code == stepik_errc::rate_limited || code == stepik_errc::busy) {
            co_await sweeps_->postpone(claim);
            count_page("postponed");
            co_return false;
        }
        if (code == stepik_errc::not_found && claim.page > 1) {
            const bool is_beyond = co_await sweeps_->not_there(claim);
            count_page(is_beyond ? "beyond" : "failed");
            if (!is_beyond)
                context.log.info("Stepik has no such page, although the sweep does not end before it",
                    {{"course_id", course_id}, {"page", claim.page}});
            co_return is_beyond;
        }
        if (!answer.has_value()) {
            co_await watch_->failed(course_id, answer.error());
            co_await sweeps_->fail(claim, !may_pass_by_itself(answer.error()));
            count_page("failed");
            co_return false;
        }
        const grades_page& page = answer->page;
        rows_to_save rows;
        rows.course_id = course_id;
        rows.rows = &page.rows;
        rows.read_at = claim.database_time(answer->last_byte_at);
        rows.first_sweep = claim.is_first_sweep;
        rows.read_results = parse_results;
        rows.because = because;
        const int on_page = static_cast<int>(page.rows.size()) + page.malformed;
        saved = co_await sweeps_->save(claim, !page.has_next, on_page, page.malformed, rows);
        count_page("ok");
        count_rows(saved.rows, page.malformed, claim.is_first_sweep ? "first_sweep" : "sweep",
            std::chrono::steady_clock::now() - answer->last_byte_at);
        const auto& complaint = page.malformed > 0 ? page.complaint : saved.rows.complaint;
        if (!complaint.empty())
            context.log.warning("rows of the grade book could not be understood",
                {{"course_id", course_id}, {"page", claim.page},
                    {"rows", page.malformed + saved.rows.skipped}, {"first", complaint}});
    } // the answer's memory and its place among the calls in flight are free from here on

    if (saved.sweep_ended)
        count_sweep("good", saved.sweep_took);
    if (claim.was_unwell)
        co_await watch_->worked(course_id);
    else if (saved.sweep_ended)
        co_await watch_->judge(course_id);
    co_return true;
}

async::task<void> on_sweep_page_due::look_at_course(const application& app) const
{
    const auto course = co_await stepik_->course(app);
    if (!course.has_value()) {
        co_await watch_->failed(app.course_id, course.error());
        co_return;
    }
    co_await watch_->saw(app.course_id, *course);
    co_await structure_->course_seen(app.course_id, course->learners_count, course->mark);
}

} // namespace coursegate::stepik_sync
