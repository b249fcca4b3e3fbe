#include "handlers/students.hpp"

#include "domain/form.hpp"
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "domain/texts.hpp"
#include "handlers/dashboard.hpp"
#include "handlers/form_fault.hpp"
#include "handlers/reading.hpp"
#include "handlers/staff.hpp"
#include "handlers/student_view.hpp"
#include "pages/pages.hpp"
#include "storage/audit_log.hpp"
#include "storage/catalog.hpp"
#include "storage/idempotency.hpp"
#include "storage/learning.hpp"
#include "storage/orders.hpp"
#include "storage/roles.hpp"
#include "storage/students.hpp"
#include "storage/users.hpp"

#include "coursegate/base/encoding.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <map>

namespace coursegate::web_gateway {
namespace {

constexpr std::string_view section = "/admin/students";
constexpr int on_a_page = 50;
constexpr int timeline_length = 100;
constexpr std::size_t longest_reason = 500;

std::string creator_name(const visitor& who)
{
    return "user/" + base::to_string(who.user_id);
}

student_scope scope_of(const visitor& who)
{
    const auto may = rights_of(who);
    student_scope out;
    out.everybody = may.sees_all;
    out.courses = {may.own.begin(), may.own.end()};
    out.creator = creator_name(who);
    return out;
}

bool may_create(const visitor& who)
{
    const auto may = rights_of(who);
    return may.changes_all || !may.own.empty();
}

bool may_change_account(const visitor& who, const found_student& s)
{
    return rights_of(who).changes_all ||
           (may_create(who) && !s.is_staff && s.created_by == creator_name(who));
}

refused nobody()
{
    return refused(refusal::not_found, slug::user_not_found, "There is no such person.", "id");
}

found_student named(db::transaction& tx, const visitor& who, const base::uuid& id)
{
    auto found = student_in(tx, scope_of(who), id);
    if (!found)
        throw nobody();
    return std::move(*found);
}

std::string path_of(const base::uuid& id)
{
    return std::string(section) + "/" + base::to_string(id);
}

// What happened, in words. What is not here is shown by its name.
constexpr auto happenings = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"account_linked", say("The account was linked")},
    {"student_enrolled", say("Enrolled on Stepik")},
    {"lesson_passed", say("Passed the lesson")},
    {"grant_requested", say("The video was ordered by hand")},
    {"grant_issued", say("The video opened")},
    {"grant_failed", say("The video did not open")},
    {"grant_revoke_requested", say("Closing was ordered by hand")},
    {"grant_revoked", say("The video was closed")},
    {"boom_code_rotated", say("A new code was made")},
    {"sync_requested", say("A check was asked for")},
    {"sync_completed", say("The check is over")},
    {"user.create", say("The account was created")},
    {"user.change", say("The account was changed")},
    {"user.rotate_code", say("The code was changed")},
    {"user.notices", say("Notices were changed")},
    {"identity.link", say("An account elsewhere was linked")},
    {"identity.unlink", say("An account elsewhere was unlinked")},
    {"user.see_site", say("Somebody of the staff looked at the site as this student")},
    {"session.start", say("Signed in")},
    {"session.end", say("Signed out")},
    {"session.end_all", say("Signed out everywhere")},
    {"video.watch", say("Watched a video")},
    {"role.give", say("A role was given")},
    {"role.take", say("A role was taken away")},
    {"grant.grant", say("Opened by hand")},
    {"grant.revoke", say("Closed by hand")},
});

class writer
{
public:
    writer(const gateway& g, const visitor& who) : pages_(g.pages), reader_(reader_of(who)) {}

    std::string text(std::string_view msgid, const values& with = {}) const
    {
        return pages_.text(reader_.language, msgid, with);
    }

    nlohmann::json row(const found_student& s, const std::map<std::int64_t, std::string>& titles) const
    {
        nlohmann::json out;
        out["path"] = path_of(s.user.id);
        out["student"] = name_of(s.user);
        out["email"] = s.user.email;
        out["stepik"] = s.user.stepik_user_id ? std::to_string(*s.user.stepik_user_id) : std::string();
        out["telegram"] = s.telegram_username;
        std::string courses;
        for (const auto id : s.courses) {
            const auto title = titles.find(id);
            courses +=
                (courses.empty() ? "" : ", ") + (title == titles.end() ? std::to_string(id) : title->second);
        }
        out["courses"] = courses;
        return out;
    }

    nlohmann::json lessons(const student_view& v, const student_course& c, bool may_change) const
    {
        nlohmann::json out;
        out["course_id"] = c.course.id;
        out["course_title"] = c.course.name();
        out["may_change"] = may_change;
        out["lessons"] = nlohmann::json::array();
        each_lesson(v, c, [&](const seen_lesson& l) {
            const auto told = tell_student(l.t, l.at, reader_.language);
            nlohmann::json one;
            one["lesson_id"] = l.t.lesson.id;
            one["lesson"] = l.t.lesson.title.empty() ? std::to_string(l.t.lesson.id) : l.t.lesson.title;
            one["state"] = to_string(l.seen);
            one["state_word"] = text(word_of(l.seen));
            one["sentence"] = told.sentence;
            out["lessons"].push_back(std::move(one));
        });
        return out;
    }

    nlohmann::json happened(const timeline_item& i) const
    {
        nlohmann::json out;
        const auto known = std::find_if(
            happenings.begin(), happenings.end(), [&](const auto& h) { return h.first == i.what; });
        out["what"] = known == happenings.end() ? i.what : text(known->second);
        out["when"] = pages_.moment(i.at, now_, reader_);
        out["lesson"] = !i.lesson_title.empty() ? i.lesson_title
                        : i.lesson_id           ? std::to_string(*i.lesson_id)
                                                : std::string();
        out["who"] = i.who;
        out["why"] = i.why;
        return out;
    }

    static std::string name_of(const user& u)
    {
        const auto name =
            u.first_name + (u.first_name.empty() || u.last_name.empty() ? "" : " ") + u.last_name;
        return name.empty() ? u.email : name;
    }

private:
    const pages& pages_;
    reader reader_;
    base::time_point now_ = base::now();
};

std::map<std::int64_t, std::string> titles_of(db::transaction& tx)
{
    std::map<std::int64_t, std::string> out;
    for (const auto& c : list_courses(tx))
        out.emplace(c.id, c.name());
    return out;
}

// A form sent twice (a double click, a reload) is done once: it carries a key of its own.
idempotent_call sent_once(const visitor& who, const http::request& request, const std::string& key)
{
    idempotent_call out;
    out.who = creator_name(who);
    out.key = base::to_string(checked_uuid(key, "once"));
    out.route = request.method + " " + request.path;
    out.body_hash = base::sha256(request.target + "\n" + request.body);
    return out;
}

// Else he may not, or there is nothing: that is a page of its own.
bool is_about_a_field(const refused& no)
{
    return no.kind() != refusal::not_found && no.slug() != slug::unauthorized;
}

std::string reason_in(form& f)
{
    return checked_line(f.text("reason"), "reason", longest_reason, 1);
}

std::optional<std::int64_t> stepik_id_in(form& f)
{
    const auto text = f.text("stepik_user_id");
    return text.empty() ? std::nullopt : std::optional(checked_number(text, "stepik_user_id", 1, INT64_MAX));
}

new_user wish_in(form& f)
{
    new_user out;
    out.email = checked_email(f.text("email"), "email");
    out.first_name = checked_line(f.text("first_name"), "first_name", 100);
    out.last_name = checked_line(f.text("last_name"), "last_name", 100);
    out.stepik_user_id = stepik_id_in(f);
    if (const auto code = f.text("boom_code"); !code.empty())
        out.boom_code = base::secret(checked_boom_code(code, "boom_code"));
    out.locale = checked_locale(f.text("locale"), "locale");
    return out;
}

// ---- The list ----

struct found
{
    std::vector<found_student> students;
    std::map<std::int64_t, std::string> titles;
};

struct list_wish
{
    std::string words{};
    std::optional<base::uuid> before{};
    std::string error{}; // what was wrong with a form; empty: nothing
};

async::task<http::response> show_list(gateway& g, const visitor& who, const list_wish& wish)
{
    const auto scope = scope_of(who);
    auto body = [&](db::transaction& tx) {
        found out;
        out.students = search_students(tx, scope, wish.words, wish.before, on_a_page + 1);
        out.titles = titles_of(tx);
        return out;
    };
    auto seen = co_await g.db.snapshot(body);
    const writer w(g, who);
    nlohmann::json data;
    data["error"] = wish.error;
    data["words"] = wish.words;
    if (seen.students.size() > static_cast<std::size_t>(on_a_page)) {
        seen.students.pop_back();
        data["more"]["path"] = std::string(section) + "?q=" + base::percent_encode(wish.words) +
                               "&cursor=" + cursor_after(seen.students.back().user.id);
    }
    data["rows"] = nlohmann::json::array();
    for (const auto& s : seen.students)
        data["rows"].push_back(w.row(s, seen.titles));
    data["none"] = seen.students.empty();
    data["may_create"] = may_create(who);
    data["once"] = base::to_string(base::new_uuid());
    co_return show_admin(g, who, section, "students", std::move(data), wish.error.empty() ? 200 : 422);
}

// ---- One of them ----

struct everything_about
{
    found_student student;
    student_view view;
    std::vector<given_role> roles;
    std::vector<timeline_item> timeline;
};

everything_about read_about(db::transaction& tx, const visitor& who, const base::uuid& id)
{
    everything_about out;
    out.student = named(tx, who, id);
    visitor him;
    him.user_id = id;
    out.view = read_view(tx, him);
    std::erase_if(
        out.view.courses, [&](const student_course& c) { return !rights_of(who).sees(c.course.id); });
    out.roles = roles_of(tx, id);
    out.timeline = timeline_of(tx, scope_of(who), out.student.user, timeline_length);
    return out;
}

// What stands above: that something was done, or what was wrong with a form. Both empty: nothing.
struct said
{
    std::string error{};
    std::string done{};
};

async::task<http::response> show_student(
    gateway& g, const visitor& who, const base::uuid& id, const said& above)
{
    auto body = [&](db::transaction& tx) { return read_about(tx, who, id); };
    const auto about = co_await g.db.snapshot(body);
    const auto& u = about.student.user;
    const writer w(g, who);
    nlohmann::json data;
    data["error"] = above.error;
    data["done"] = above.done;
    data["id"] = base::to_string(id);
    data["student"] = writer::name_of(u);
    data["email"] = u.email;
    data["first_name"] = u.first_name;
    data["last_name"] = u.last_name;
    data["stepik_user_id"] = u.stepik_user_id ? std::to_string(*u.stepik_user_id) : std::string();
    data["telegram"] = about.student.telegram_username;
    data["locale"] = u.locale;
    data["no_code"] = !u.has_code;
    data["since"] = g.pages.day(u.created_at, reader_of(who));
    std::string roles;
    for (const auto& r : about.roles)
        roles += (roles.empty() ? "" : ", ") + r.role +
                 (r.course_id ? " (" + std::to_string(*r.course_id) + ")" : "");
    data["roles"] = roles;
    data["may_change"] = may_change_account(who, about.student);
    data["once"] = base::to_string(base::new_uuid());
    data["courses"] = nlohmann::json::array();
    for (const auto& c : about.view.courses)
        data["courses"].push_back(w.lessons(about.view, c, rights_of(who).changes(c.course.id)));
    data["timeline"] = nlohmann::json::array();
    for (const auto& i : about.timeline)
        data["timeline"].push_back(w.happened(i));
    co_return show_admin(g, who, section, "student", std::move(data), above.error.empty() ? 200 : 422);
}

http::response show_code(gateway& g, const visitor& who, const base::uuid& id, const std::string& code)
{
    nlohmann::json data;
    data["path"] = path_of(id);
    data["code"] = code;
    return show_admin(g, who, section, "student_code", std::move(data));
}

// What `once` keeps, sealed, of a form that made a code: whose, and the code where we made it up.
answer code_answer(const created_user& made)
{
    nlohmann::json kept;
    kept["id"] = base::to_string(made.user.id);
    kept["code"] = made.generated_code ? made.generated_code->expose() : std::string();
    return answer{200, kept.dump()};
}

http::response show_code_answer(gateway& g, const visitor& who, const answer& kept)
{
    const auto j = nlohmann::json::parse(kept.body);
    const auto id = base::parse_uuid(j.at("id").get<std::string>()).value();
    const auto code = j.at("code").get<std::string>();
    if (code.empty())
        return http::response::redirect(path_of(id));
    return show_code(g, who, id, code);
}

} // namespace

async::task<http::response> students_page(gateway& g, http::request& request, const visitor& who)
{
    query_reader query(request);
    const auto words = query.text("q").value_or("");
    const auto before = query.cursor();
    query.finish();
    list_wish wish;
    wish.words = checked_line(words, "q", 100);
    wish.before = before;
    co_return co_await show_list(g, who, wish);
}

// The account, its audit row and its event are one transaction. A crash after it: the form sent again finds
// the answer.
async::task<http::response> create_student_form(gateway& g, http::request& request, const visitor& who)
{
    if (!may_create(who))
        co_return g.pages.problem(403, reader_of(who));
    std::string error;
    answer made;
    try {
        auto f = form::parse(request.body);
        f.text("csrf");
        const auto call = sent_once(who, request, f.text("once"));
        const auto wish = wish_in(f);
        f.finish();
        const auto by = who.acting(request);
        auto body = [&](db::transaction& tx) {
            return once(tx, g.keys, call, [&] { return code_answer(create_user(tx, g.keys, by, wish)); });
        };
        made = co_await g.db.transact(body);
    }
    catch (const refused& no) {
        error = fault_sentence(g.pages, who.language, no);
    }
    if (!error.empty()) {
        list_wish wish;
        wish.error = error;
        co_return co_await show_list(g, who, wish);
    }
    co_return show_code_answer(g, who, made);
}

async::task<http::response> student_page(gateway& g, http::request& request, const visitor& who)
{
    const auto id = path_uuid(request, "id");
    said above;
    if (request.query.get("done"))
        above.done =
            g.pages.text(who.language, say("Done. What becomes of it shows in the timeline within seconds."));
    co_return co_await show_student(g, who, id, above);
}

// All orders of one press are one transaction; sent twice under one key they are made once.
async::task<http::response> student_lessons_form(gateway& g, http::request& request, const visitor& who)
{
    const auto id = path_uuid(request, "id");
    said above;
    try {
        auto f = form::parse(request.body, form::of_known);
        f.text("csrf");
        const auto call = sent_once(who, request, f.text("once"));
        const auto course_id = f.id("course");
        const bool opens = f.text("what") == "open";
        const bool all = f.text_or("all", "") == "on";
        std::vector<std::int64_t> lessons;
        for (const auto& one : f.ticked("lesson-"))
            lessons.push_back(checked_number(one, "lesson", 1, INT64_MAX));
        auto by = who.acting(request);
        by.why = reason_in(f);
        f.finish();
        must_change(who, course_id);
        if (lessons.empty() && !all)
            throw refused(refusal::invalid, slug::missing_field, "Tick a lesson.", "lesson");
        auto body = [&](db::transaction& tx) {
            named(tx, who, id);
            const auto course = course_named(tx, course_id, "course");
            std::vector<std::int64_t> chosen;
            for (const auto& l : structure_of(tx, course.id))
                if (all ? !l.vanished : std::find(lessons.begin(), lessons.end(), l.id) != lessons.end())
                    chosen.push_back(l.id);
            if (!all && chosen.size() != lessons.size())
                throw refused(
                    refusal::invalid, slug::lesson_not_found, "The course has no such lesson.", "lesson");
            return once(tx, g.keys, call, [&] {
                for (const auto lesson : chosen)
                    (opens ? order_grant : order_revoke)(tx, by, id, course.id, lesson);
                return answer{200, "{}"};
            });
        };
        co_await g.db.transact(body);
    }
    catch (const refused& no) {
        if (!is_about_a_field(no))
            throw;
        above.error = fault_sentence(g.pages, who.language, no);
    }
    if (!above.error.empty())
        co_return co_await show_student(g, who, id, above);
    co_return http::response::redirect(path_of(id) + "?done=1");
}

// As create_student_form.
async::task<http::response> student_code_form(gateway& g, http::request& request, const visitor& who)
{
    const auto id = path_uuid(request, "id");
    said above;
    answer made;
    try {
        auto f = form::parse(request.body);
        f.text("csrf");
        const auto call = sent_once(who, request, f.text("once"));
        auto by = who.acting(request);
        by.why = reason_in(f);
        f.finish();
        auto body = [&](db::transaction& tx) {
            if (!may_change_account(who, named(tx, who, id)))
                throw nobody();
            return once(tx, g.keys, call, [&] { return code_answer(rotate_code(tx, g.keys, by, id)); });
        };
        made = co_await g.db.transact(body);
    }
    catch (const refused& no) {
        if (!is_about_a_field(no))
            throw;
        above.error = fault_sentence(g.pages, who.language, no);
    }
    if (!above.error.empty())
        co_return co_await show_student(g, who, id, above);
    co_return show_code_answer(g, who, made);
}

// Sent twice it changes nothing the second time.
async::task<http::response> student_account_form(gateway& g, http::request& request, const visitor& who)
{
    const auto id = path_uuid(request, "id");
    said above;
    try {
        auto f = form::parse(request.body);
        f.text("csrf");
        user_changes wish;
        wish.email = checked_email(f.text("email"), "email");
        wish.first_name = checked_line(f.text("first_name"), "first_name", 100);
        wish.last_name = checked_line(f.text("last_name"), "last_name", 100);
        wish.stepik_user_id.emplace(stepik_id_in(f));
        auto by = who.acting(request);
        by.why = reason_in(f);
        f.finish();
        auto body = [&](db::transaction& tx) {
            if (!may_change_account(who, named(tx, who, id)))
                throw nobody();
            change_user(tx, by, id, wish);
        };
        co_await g.db.transact(body);
    }
    catch (const refused& no) {
        if (!is_about_a_field(no))
            throw;
        above.error = fault_sentence(g.pages, who.language, no);
    }
    if (!above.error.empty())
        co_return co_await show_student(g, who, id, above);
    co_return http::response::redirect(path_of(id) + "?done=1");
}

// A form's answer, because looking is written down. The page's own forms are left out, and would not work:
// they carry no session of the student's.
async::task<http::response> site_as_student_page(gateway& g, http::request& request, const visitor& who)
{
    const auto id = path_uuid(request, "id");
    auto f = form::parse(request.body);
    f.text("csrf");
    f.finish();
    const auto by = who.acting(request);
    auto body = [&](db::transaction& tx) {
        auto found = named(tx, who, id);
        write_audit(tx, by, "user.see_site", "user/" + base::to_string(id), nullptr, nullptr);
        return found;
    };
    const auto found = co_await g.db.transact(body);
    visitor him;
    him.user_id = id;
    him.language = found.user.locale;
    him.time_zone = who.time_zone;
    auto seen_by = reader_of(who);
    seen_by.language = him.language;
    auto data = co_await dashboard_data(g, him, seen_by);
    auto courses = nlohmann::json::array();
    for (auto& c : data["courses"])
        if (rights_of(who).sees(c.at("course_id").get<std::int64_t>()))
            courses.push_back(std::move(c));
    data["courses"] = std::move(courses);
    for (auto& c : data["courses"]) {
        c["may_check"] = false;
        for (auto& m : c["modules"])
            for (auto& l : m["lessons"])
                l["path"] = "#module-" + std::to_string(c["course_id"].get<std::int64_t>()) + "-" +
                            std::to_string(m["module_id"].get<std::int64_t>());
    }
    data["next"] = nullptr;
    data["moves"] = "false";
    data["seen_as"]["path"] = path_of(id);
    data["seen_as"]["email"] = found.user.email;
    co_return g.pages.show("dashboard", data, seen_by);
}

} // namespace coursegate::web_gateway
