#include "handlers/trouble.hpp"

#include "domain/form.hpp"
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "handlers/parked_messages.hpp"
#include "handlers/reading.hpp"
#include "handlers/staff.hpp"
#include "pages/pages.hpp"
#include "storage/access.hpp"
#include "storage/audit_log.hpp"
#include "storage/catalog.hpp"
#include "storage/learning.hpp"
#include "storage/orders.hpp"
#include "storage/trouble.hpp"

#include "coursegate/base/encoding.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace coursegate::web_gateway {
namespace {

constexpr std::string_view section = "/admin/trouble";
constexpr int most_shown = 200;
constexpr int most_retried = 500; // orders of one press of the button
constexpr std::size_t most_previewed = 50;
constexpr std::size_t most_redriven = 1000;
constexpr std::size_t longest_body = 2000; // of a message, on the page
constexpr std::size_t longest_reason = 500;

class writer
{
public:
    writer(const gateway& g, const visitor& who) : pages_(g.pages), reader_(reader_of(who)) {}

    std::string text(std::string_view msgid, const values& with = {}) const
    {
        return pages_.text(reader_.language, msgid, with);
    }
    std::string plural(std::string_view one, std::string_view many, std::int64_t n) const
    {
        return pages_.text(reader_.language, one, many, n);
    }
    std::string moment(base::time_point t) const { return pages_.moment(t, now_, reader_); }
    std::string ago(base::time_point t) const { return pages_.ago(t, now_, reader_); }

    std::string next_try(bool for_person, const std::optional<base::time_point>& at) const
    {
        if (for_person || !at)
            return text(say("waits for a person"));
        return *at <= now_ ? text(say("is being tried again now"))
                           : text(say("is tried again {when}"), {{"when", moment(*at)}});
    }

    // "3 missing, 1 too many": what an audit found, or how it stands.
    std::string outcome(const audit_state& a) const
    {
        if (a.state == "failed")
            return text(say("It failed: {why}"), {{"why", a.detail.value_or("?")}});
        if (!a.finished_at)
            return a.started_at ? text(say("It is running.")) : text(say("It waits for its turn."));
        if (a.missing + a.extra + a.wrong_end == 0)
            return text(say("Boomstream and we agree."));
        auto out = text(say("Missing at Boomstream: {missing}; there without a reason: {extra}; ending too "
                            "early: {early}."),
            {{"missing", std::to_string(a.missing)}, {"extra", std::to_string(a.extra)},
                {"early", std::to_string(a.wrong_end)}});
        if (!a.dry_run)
            out += " " + text(say("Repaired: {n}."), {{"n", std::to_string(a.repaired)}});
        return out;
    }

private:
    const pages& pages_;
    reader reader_;
    base::time_point now_ = base::now();
};

std::string shown_reason(const writer& words, const std::string& reason)
{
    return reason.empty() ? words.text(say("no reason is known")) : reason;
}

std::string path_of(const failure_cause& c)
{
    return std::string(section) + "/failures?course=" + std::to_string(c.course_id) +
           "&for=" + (c.for_person ? "person" : "itself") + "&reason=" + base::percent_encode(c.reason);
}

bool is_for_person(const std::string& word)
{
    if (word != "person" && word != "itself")
        throw invalid("for", "This is person or itself.");
    return word == "person";
}

void must_repair_everywhere(const visitor& who)
{
    if (!rights_of(who).repairs)
        throw refused(refusal::not_found, slug::request_not_found, "There is no such page.", "queue");
}

// At the boundary of a character.
void shorten(std::string& text)
{
    if (text.size() <= longest_body)
        return;
    auto end = longest_body;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U)
        --end;
    text.resize(end);
    text += " …";
}

std::string reason_in(form& f)
{
    return checked_line(f.text("reason"), "reason", longest_reason, 1);
}

struct findings
{
    std::vector<course> courses; // those he sees
    std::map<std::int64_t, course_health> reading;
    std::map<std::int64_t, provider_health> provider;
    std::vector<failure_group> failures;
    std::map<std::int64_t, std::vector<audit_state>> audits;
};

findings look(db::transaction& tx, const staff_rights& may)
{
    findings out;
    for (auto& c : list_courses(tx))
        if (may.sees(c.id))
            out.courses.push_back(std::move(c));
    out.reading = health_of_courses(tx);
    out.provider = provider_health_of_courses(tx);
    out.failures = failures_by_cause(tx, may.seen_courses());
    out.audits = last_audits(tx, may.seen_courses());
    return out;
}

nlohmann::json group_json(const writer& words, const failure_group& f)
{
    nlohmann::json one;
    one["path"] = path_of(f.cause);
    one["course_title"] = f.course_title.empty() ? std::to_string(f.cause.course_id) : f.course_title;
    one["reason"] = shown_reason(words, f.cause.reason);
    one["grants"] = words.plural(say("{n} video"), say("{n} videos"), f.grants);
    one["people"] = words.plural(say("{n} person waits"), say("{n} people wait"), f.people);
    one["since"] = words.moment(f.since);
    one["next"] = words.next_try(f.cause.for_person, f.next_try_at);
    return one;
}

nlohmann::json course_json(const writer& words, const findings& f, const course& c, const staff_rights& may)
{
    nlohmann::json one;
    one["course_id"] = c.id;
    one["course_title"] = c.name();
    one["problems"] = nlohmann::json::array();
    const auto reading = f.reading.find(c.id);
    if (reading != f.reading.end() && !reading->second.ok)
        for (const auto& p : reading->second.problems)
            one["problems"].push_back("Stepik: " + p);
    const auto provider = f.provider.find(c.id);
    if (provider != f.provider.end() && !provider->second.ok)
        one["problems"].push_back("Boomstream: " + provider->second.problem.value_or("?"));
    one["well"] = one["problems"].empty();
    one["audits"] = nlohmann::json::array();
    const auto audits = f.audits.find(c.id);
    if (audits != f.audits.end())
        for (const auto& a : audits->second) {
            nlohmann::json audit;
            audit["kind"] = words.text(a.dry_run ? say("compared") : say("compared and repaired"));
            audit["when"] = a.started_at ? words.moment(*a.started_at) : std::string();
            audit["outcome"] = words.outcome(a);
            one["audits"].push_back(std::move(audit));
        }
    one["may_repair"] = may.repairs_in(c.id);
    return one;
}

} // namespace

async::task<http::response> trouble_page(gateway& g, http::request& request, const visitor& who)
{
    const auto may = rights_of(who);
    auto body = [&](db::transaction& tx) { return look(tx, may); };
    const auto found = co_await g.db.snapshot(body);
    const writer words(g, who);
    nlohmann::json data;
    data["failures"] = nlohmann::json::array();
    for (const auto& f : found.failures)
        data["failures"].push_back(group_json(words, f));
    data["nothing_failed"] = found.failures.empty();
    data["courses"] = nlohmann::json::array();
    for (const auto& c : found.courses)
        data["courses"].push_back(course_json(words, found, c, may));
    if (const auto done = request.query.get("done"))
        data["done"] = words.text(
            *done == "retried" ? say("Ordered again. What becomes of it shows here within seconds.")
            : *done == "audit" ? say("The comparison is ordered. Its result shows here.")
                               : say("The messages went back into their queue."));

    if (may.repairs && g.parked != nullptr) {
        data["may_see_parked"] = true;
        std::vector<parked_queue> parked;
        try {
            parked = co_await g.parked->list();
        }
        catch (const base::dependency_down&) {
            data["broker_is_away"] = true;
        }
        catch (const async::busy&) {
            data["broker_is_away"] = true;
        }
        data["parked"] = nlohmann::json::array();
        for (const auto& q : parked) {
            nlohmann::json one;
            one["queue"] = q.queue;
            one["count"] =
                words.plural(say("{n} message"), say("{n} messages"), static_cast<std::int64_t>(q.parked));
            data["parked"].push_back(std::move(one));
        }
        data["nothing_parked"] = parked.empty() && !data.contains("broker_is_away");
    }
    co_return show_admin(g, who, section, "trouble", std::move(data));
}

async::task<http::response> failures_page(gateway& g, http::request& request, const visitor& who)
{
    query_reader query(request);
    failure_cause cause;
    cause.course_id = query.required_id("course");
    cause.for_person = is_for_person(query.required_text("for"));
    cause.reason = query.text("reason").value_or("");
    query.finish();
    must_see(who, cause.course_id);
    auto body = [&](db::transaction& tx) { return failures_of(tx, cause, most_shown + 1); };
    auto found = co_await g.db.transact(body);
    const writer words(g, who);
    nlohmann::json data;
    data["more"] = found.size() > static_cast<std::size_t>(most_shown);
    found.resize(std::min(found.size(), static_cast<std::size_t>(most_shown)));
    data["reason"] = shown_reason(words, cause.reason);
    data["rows"] = nlohmann::json::array();
    for (const auto& f : found) {
        nlohmann::json one;
        one["email"] = f.email;
        one["student"] = f.name;
        one["lesson"] = f.lesson_title.empty() ? std::to_string(f.lesson_id) : f.lesson_title;
        one["attempts"] = f.attempts;
        one["since"] = words.moment(f.since);
        one["next"] = words.next_try(cause.for_person, f.next_try_at);
        data["rows"].push_back(std::move(one));
    }
    data["none"] = found.empty();
    data["may_retry"] = !found.empty() && rights_of(who).repairs_in(cause.course_id);
    data["course_id"] = cause.course_id;
    data["for"] = cause.for_person ? "person" : "itself";
    data["raw_reason"] = cause.reason;
    co_return show_admin(g, who, section, "failures", std::move(data));
}

// All orders, their audit rows and events are one transaction: a crash before COMMIT orders nothing, after it
// boomstream-grant has them. Pressed twice, the second order of a grant that is open changes nothing there.
async::task<http::response> retry_form(gateway& g, http::request& request, const visitor& who)
{
    auto f = form::parse(request.body);
    f.text("csrf");
    failure_cause cause;
    cause.course_id = f.id("course");
    cause.for_person = is_for_person(f.text("for"));
    cause.reason = f.text("cause");
    auto by = who.acting(request);
    by.why = reason_in(f);
    f.finish();
    must_repair(who, cause.course_id);
    auto body = [&](db::transaction& tx) {
        // An order is about a lesson; it may have failed in several subscriptions.
        std::set<std::pair<base::uuid, std::int64_t>> lessons;
        for (const auto& one : failures_of(tx, cause, most_retried))
            lessons.emplace(one.user_id, one.lesson_id);
        for (const auto& [user_id, lesson_id] : lessons)
            order_grant(tx, by, user_id, cause.course_id, lesson_id);
    };
    co_await g.db.transact(body);
    co_return http::response::redirect(std::string(section) + "?done=retried");
}

// As above.
async::task<http::response> audit_form(gateway& g, http::request& request, const visitor& who)
{
    auto f = form::parse(request.body);
    f.text("csrf");
    const auto course_id = f.id("course");
    const bool repairs = f.text("what") == "repair";
    auto by = who.acting(request);
    by.why = reason_in(f);
    f.finish();
    must_repair(who, course_id);
    constexpr int budget = 1000; // repairs; a larger difference is worth a second look before a second order
    auto body = [&](db::transaction& tx) {
        course_named(tx, course_id, "course");
        order_audit(tx, by, course_id, !repairs, budget);
    };
    co_await g.db.transact(body);
    co_return http::response::redirect(std::string(section) + "?done=audit");
}

async::task<http::response> parked_page(gateway& g, http::request& request, const visitor& who)
{
    must_repair_everywhere(who);
    const auto queue = request.path_parameters.at("queue");
    if (g.parked == nullptr || !parked_messages::is_queue(queue))
        co_return g.pages.problem(404, reader_of(who));
    nlohmann::json data;
    data["queue"] = queue;
    data["rows"] = nlohmann::json::array();
    for (auto& m : co_await g.parked->preview(queue, most_previewed)) {
        nlohmann::json one;
        one["message_id"] = m.message_id;
        one["type"] = m.type.empty() ? m.message_id.empty() ? queue : m.message_id : m.type;
        one["reason"] = m.reason;
        one["handler"] = m.handler;
        one["error"] = m.error == m.reason ? std::string() : m.error;
        one["failed_at"] = m.failed_at;
        shorten(m.body);
        one["body"] = is_utf8(m.body) ? m.body : std::string("(not text)");
        data["rows"].push_back(std::move(one));
    }
    data["none"] = data["rows"].empty();
    co_return show_admin(g, who, section, "parked", std::move(data));
}

// The audit row is written first: a crash after it leaves a row and messages where they were. While messages
// move, each is in one of the two queues or in both, never in none.
async::task<http::response> redrive_form(gateway& g, http::request& request, const visitor& who)
{
    must_repair_everywhere(who);
    const auto queue = request.path_parameters.at("queue");
    if (g.parked == nullptr || !parked_messages::is_queue(queue))
        co_return g.pages.problem(404, reader_of(who));
    auto f = form::parse(request.body);
    f.text("csrf");
    std::set<std::string> chosen;
    if (auto one = f.text_or("message", ""); !one.empty()) // left out: all
        chosen.insert(std::move(one));
    auto by = who.acting(request);
    by.why = reason_in(f);
    f.finish();
    auto body = [&](db::transaction& tx) {
        write_audit(tx, by, "messages.redrive", "queue/" + queue, nullptr,
            {{"messages", chosen.empty() ? nlohmann::json("all") : nlohmann::json(*chosen.begin())}});
    };
    co_await g.db.transact(body);
    co_await g.parked->redrive(queue, chosen, most_redriven);
    co_return http::response::redirect(std::string(section) + "?done=redriven");
}

} // namespace coursegate::web_gateway
