#include "handlers/control.hpp"

#include "domain/moscow_time.hpp"
#include "domain/text.hpp"
#include "handlers/fields.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <variant>

namespace coursegate::sandbox {

using json = nlohmann::ordered_json;

namespace {

constexpr auto any_id = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t most_students = 200'000;

http::response answer(const json& body, int status = 200)
{
    auto out = http::response::text(
        status, body.dump(-1, ' ', false, json::error_handler_t::replace), "application/json; charset=utf-8");
    out.headers.set("Cache-Control", "no-store");
    return out;
}

// Something the call names that does not exist: 404.
class not_there : public bad_field
{
public:
    using bad_field::bad_field;
};

// Something the call asks for that contradicts what is there: 409.
class conflict : public bad_field
{
public:
    using bad_field::bad_field;
};

[[noreturn]] void refuse(const std::string& field, const base::error& e)
{
    const auto message = e.code.message() + (e.detail.empty() ? "" : ": " + e.detail);
    if (e.code == grade_errc::nothing_to_pass || e.code == world_errc::taken)
        throw conflict(field, message);
    throw not_there(field, message);
}

json time_or_null(std::optional<base::time_point> t)
{
    return t ? json(base::to_iso8601(*t)) : json(nullptr);
}

std::optional<std::int64_t> query_number(const http::request& r, const std::string& name)
{
    const auto text = r.query.get(name);
    if (!text || text->empty())
        return std::nullopt;
    const auto value = to_integer(*text);
    if (!value || *value < 0)
        throw bad_field(name, "a whole number is expected");
    return value;
}

// The knobs by name: what GET shows and PUT understands.
using knob = std::variant<int settings::*, bool settings::*, std::string settings::*>;
struct named_knob
{
    const char* name;
    knob field;
    int least = 0, most = 0;             // of numbers
    std::vector<std::string> words = {}; // of texts
};

const std::vector<named_knob>& knobs()
{
    constexpr int hour_ms = 3'600'000;
    static const std::vector<named_knob> all{
        {"latency_ms", &settings::latency_ms, 0, hour_ms},
        {"bytes_per_second", &settings::bytes_per_second, 0, 1'000'000'000},
        {"page_size", &settings::page_size, 1, 1000},
        {"honour_page_size", &settings::honour_page_size},
        {"max_ids", &settings::max_ids, 1, 10'000},
        {"too_many_ids_status", &settings::too_many_ids_status, 400, 414},
        {"strict_pages", &settings::strict_pages},
        {"order_by_last_viewed", &settings::order_by_last_viewed},
        {"staleness_ms", &settings::staleness_ms, 0, hour_ms},
        {"gzip", &settings::gzip},
        {"grade_book_enabled", &settings::grade_book_enabled},
        {"learners_group_visible", &settings::learners_group_visible},
        {"client_secret_ok", &settings::client_secret_ok},
        {"token_seconds", &settings::token_seconds, 1, 1'000'000},
        {"stepik_per_second", &settings::stepik_per_second, 0, 1'000'000},
        {"api_key_ok", &settings::api_key_ok},
        {"list_shape", &settings::list_shape, 0, 0, {"array", "item_list", "item_object", "rotating"}},
        {"omit_status", &settings::omit_status},
        {"numbers", &settings::numbers, 0, 0, {"recorded", "strings"}},
        {"duplicate_buyers", &settings::duplicate_buyers},
        {"repeat_listed_buyers", &settings::repeat_listed_buyers},
        {"config_spends_activation", &settings::config_spends_activation},
        {"boomstream_per_second", &settings::boomstream_per_second, 0, 1'000'000},
    };
    return all;
}

} // namespace

struct control_api::impl
{
    explicit impl(world& the_world) : w(the_world) {}

    // What is meant
    // -------------------------------------------------------------------------------------------

    classroom& room(std::optional<std::int64_t> course) const
    {
        auto* const out = w.find_course(course.value_or(world::sample_course));
        if (out == nullptr)
            throw not_there("course", "no such course: " + std::to_string(*course));
        return *out;
    }
    classroom& room(fields& f) const { return room(f.integer("course", 1, any_id)); }
    classroom& room(const http::request& r) const { return room(query_number(r, "course")); }

    project& project_of(const classroom& c) const { return *w.find_project(c.project_key); }

    // Courses
    // -------------------------------------------------------------------------------------------------

    json course_line(const classroom& c) const
    {
        int lessons = 0;
        for (const auto& s : c.course.sections())
            lessons += static_cast<int>(s.lessons.size());
        json clients = json::array();
        for (const auto& [id, a] : w.applications())
            if (a.account == c.course.owner)
                clients.push_back(id);
        return json{{"course", c.course.id}, {"title", c.course.title}, {"clients", clients},
            {"group_subscription", w.group_code(project_of(c))}, {"lessons", lessons},
            {"enrolled", c.grades.enrolments().size()}};
    }

    http::response courses(const http::request&) const
    {
        auto out = json::array();
        for (const auto& c : w.classrooms())
            out.push_back(course_line(*c));
        return answer(json{{"courses", out}});
    }

    http::response add_course(const http::request& r)
    {
        fields f(r.body);
        world::course_request asked;
        asked.id = f.required_integer("course", 1, any_id);
        asked.client_id = f.required_text("client_id");
        asked.client_secret = f.required_text("client_secret");
        asked.project_key = f.text("boomstream_api_key").value_or("");
        asked.title = f.text("title").value_or("");
        asked.same_lessons = f.flag("same_lessons").value_or(false);
        f.finish();
        const auto made = w.add_course(asked);
        if (!made)
            refuse(made.error().detail.starts_with("course") ? "course" : "client_id", made.error());
        return answer(course_line(**made), 201);
    }

    http::response show_course(const http::request& r) const
    {
        const auto& c = room(to_integer(r.path_parameters.at("course")).value_or(0));
        const auto& p = project_of(c);
        auto modules = json::array();
        for (const auto& s : c.course.sections()) {
            auto lessons = json::array();
            for (const auto& l : s.lessons) {
                auto steps = json::array();
                for (const auto& st : l.steps)
                    steps.push_back(json{{"step", st.id}, {"position", st.position}, {"block", st.block},
                        {"gradable", st.slot >= 0}, {"review", st.review}});
                lessons.push_back(json{{"lesson", l.id}, {"unit", l.unit}, {"title", l.title},
                    {"gradable", l.slots()}, {"media", w.media_code(p, l.id)},
                    {"subscription", w.single_code(p, l.id)}, {"steps", steps}});
            }
            modules.push_back(json{{"module", s.id}, {"title", s.title}, {"lessons", lessons}});
        }
        auto out = course_line(c);
        out["modules"] = modules;
        return answer(out);
    }

    http::response insert_step(const http::request& r)
    {
        fields f(r.body);
        auto& c = room(f);
        const auto lesson_id = f.required_integer("lesson", 1, any_id);
        const auto position = f.integer("position", 1, 1000);
        const auto block = f.text("block").value_or("choice");
        const auto in_grades = f.flag("in_grades").value_or(true);
        f.finish();
        const auto* const l = c.course.find_lesson(lesson_id);
        if (l == nullptr)
            throw not_there("lesson", "no such lesson in the course");
        const auto made = c.course.insert_step(w.ids, lesson_id,
            static_cast<int>(position.value_or(static_cast<std::int64_t>(l->steps.size()) + 1)), block,
            in_grades);
        if (!made)
            refuse("position", made.error());
        return answer(json{{"step", *made}}, 201);
    }

    http::response add_lesson(const http::request& r)
    {
        fields f(r.body);
        auto& c = room(f);
        const auto section = f.required_integer("section", 1, any_id);
        const auto position = f.integer("position", 1, 1000).value_or(1);
        const auto title = f.text("title").value_or("Новый урок");
        const auto steps = f.integer("steps", 0, 1000).value_or(1);
        f.finish();
        const auto made =
            c.course.add_lesson(w.ids, section, static_cast<int>(position), title, static_cast<int>(steps));
        if (!made)
            refuse(made.error().code == course_errc::unknown_section ? "section" : "position", made.error());
        w.film(c);
        return answer(json{{"lesson", *made}, {"media", w.media_code(project_of(c), *made)},
                          {"subscription", w.single_code(project_of(c), *made)}},
            201);
    }

    http::response move_lesson(const http::request& r)
    {
        fields f(r.body);
        auto& c = room(f);
        const auto lesson_id = f.required_integer("lesson", 1, any_id);
        const auto section = f.required_integer("section", 1, any_id);
        const auto position = f.integer("position", 1, 1000).value_or(1);
        f.finish();
        const auto done = c.course.move_lesson(lesson_id, section, static_cast<int>(position));
        if (!done)
            refuse(done.error().code == course_errc::unknown_section  ? "section"
                   : done.error().code == course_errc::unknown_lesson ? "lesson"
                                                                      : "position",
                done.error());
        return answer(json{{"moved", lesson_id}});
    }

    http::response remove_lesson(const http::request& r)
    {
        fields f(r.body);
        auto& c = room(f);
        const auto lesson_id = f.required_integer("lesson", 1, any_id);
        f.finish();
        const auto done = c.course.remove_lesson(lesson_id);
        if (!done)
            refuse("lesson", done.error());
        return answer(json{{"removed", lesson_id}});
    }

    // Students
    // ------------------------------------------------------------------------------------------------

    static int passable_lessons(const course& c)
    {
        int out = 0;
        for (const auto& s : c.sections())
            for (const auto& l : s.lessons)
                out += l.slots() > 0 ? 1 : 0;
        return out;
    }

    world::student_request read_student(fields& f, const course& of) const
    {
        world::student_request out;
        out.klass = f.integer("klass", 1, any_id).value_or(0);
        out.is_teacher = f.flag("is_teacher").value_or(false);
        out.viewed = f.flag("viewed").value_or(false);
        const auto all = passable_lessons(of);
        if (const auto lessons = f.integer("passed_lessons", 0, all))
            out.passed_lessons = static_cast<int>(*lessons);
        if (const auto share = f.number("passed_share", 0, 1))
            out.passed_lessons = static_cast<int>(std::lround(*share * all));
        if (const auto joined = f.text("date_joined")) {
            const auto t = base::parse_iso8601(*joined);
            if (!t)
                throw bad_field("date_joined", "a time such as 2026-01-02T03:04:05Z is expected");
            out.joined_at = *t;
        }
        return out;
    }

    http::response add_students(const http::request& r)
    {
        fields f(r.body);
        auto& c = room(f);
        const auto count = f.integer("count", 1, most_students);
        const auto for_all = read_student(f, c.course);
        auto list = f.objects("list");
        f.finish();
        if (count.has_value() == !list.empty())
            throw bad_field("count", "either count or list is expected");
        std::vector<world::student_request> asked;
        for (auto& item : list) {
            auto one = read_student(item, c.course);
            if (!item.has("klass"))
                one.klass = for_all.klass;
            if (!item.has("passed_lessons") && !item.has("passed_share"))
                one.passed_lessons = for_all.passed_lessons;
            one.viewed = one.viewed || for_all.viewed;
            one.user = item.integer("user", 1, any_id);
            one.first_name = item.text("first_name").value_or("");
            one.last_name = item.text("last_name").value_or("");
            one.email = item.text("email").value_or("");
            item.finish();
            asked.push_back(std::move(one));
        }
        for (std::int64_t i = 0; i < count.value_or(0); ++i)
            asked.push_back(for_all);
        auto students = json::array();
        for (const auto& one : asked) {
            const auto& e = w.add_student(c, one);
            students.push_back(json{{"user", e.person->id}, {"email", e.person->email},
                {"first_name", e.person->first_name}, {"last_name", e.person->last_name}});
        }
        return answer(json{{"course", c.course.id}, {"students", students}}, 201);
    }

    http::response students(const http::request& r) const
    {
        const auto& c = room(r);
        const auto limit = static_cast<std::size_t>(query_number(r, "limit").value_or(100));
        const auto offset = static_cast<std::size_t>(query_number(r, "offset").value_or(0));
        grade_query q;
        q.search = r.query.get("q").value_or("");
        q.is_teacher = false;
        q.page_size = static_cast<int>(c.grades.enrolments().size()) + 1;
        const auto rows = c.grades.select(q).rows;
        auto out = json::array();
        for (auto i = offset; i < rows.size() && i - offset < limit; ++i) {
            const auto& e = c.grades.enrolments()[rows[i]];
            int passed = 0;
            for (const auto& s : c.course.sections())
                for (const auto& l : s.lessons) {
                    const auto p = c.grades.lesson_progress(e, l);
                    passed += p.total > 0 && p.passed == p.total ? 1 : 0;
                }
            out.push_back(json{{"user", e.person->id},
                {"name", e.person->first_name + " " + e.person->last_name}, {"email", e.person->email},
                {"passed_lessons", passed}, {"last_viewed", time_or_null(e.viewed_at)}});
        }
        return answer(json{{"course", c.course.id}, {"total", rows.size()}, {"students", out}});
    }

    // What the codes of this student's buyers (found by e-mail, or by the code given) open right now.
    json watchable(const classroom& c, const std::string& email, const std::string& code) const
    {
        auto& p = project_of(c);
        auto out = json::array();
        for (const auto& s : p.subscriptions()) {
            for (const auto& b : s.buyers) {
                if (!b.live || (b.email != email && (code.empty() || b.hash != without_hyphens(code))))
                    continue;
                auto videos = json::array();
                for (const auto& media : s.media) {
                    const auto* const m = p.find_medium(media);
                    if (m != nullptr && p.try_watch(media, b.hash, "", w.now(), false) == watch::plays &&
                        (s.kind == subscription_kind::group || b.media == media))
                        videos.push_back(json{{"media", media}, {"lesson", m->lesson}, {"title", m->title}});
                }
                out.push_back(json{{"subscription", s.code}, {"name", s.name},
                    {"kind", s.kind == subscription_kind::group ? "group" : "single"}, {"hash", b.hash},
                    {"end", to_moscow(b.expires_at)}, {"recovery", b.recovery}, {"videos", videos}});
            }
        }
        return out;
    }

    http::response student(const http::request& r) const
    {
        const auto& c = room(r);
        const auto* const e = c.grades.find(to_integer(r.path_parameters.at("user")).value_or(0));
        if (e == nullptr)
            throw not_there("user", "not enrolled in this course");
        auto lessons = json::array();
        for (const auto& s : c.course.sections())
            for (const auto& l : s.lessons) {
                const auto p = c.grades.lesson_progress(*e, l);
                auto steps = json::array();
                for (const auto& st : l.steps)
                    if (st.slot >= 0 && e->passed.test(st.slot))
                        steps.push_back(st.id);
                lessons.push_back(json{
                    {"lesson", l.id}, {"passed", p.passed}, {"total", p.total}, {"passed_steps", steps}});
            }
        return answer(
            json{{"user", e->person->id}, {"name", e->person->first_name + " " + e->person->last_name},
                {"email", e->person->email}, {"date_joined", base::to_iso8601(e->joined_at)},
                {"last_viewed", time_or_null(e->viewed_at)}, {"lessons", lessons},
                {"access", watchable(c, e->person->email, r.query.get("code").value_or(""))}});
    }

    http::response pass(const http::request& r)
    {
        fields f(r.body);
        auto& c = room(f);
        const auto user = f.required_integer("user", 1, any_id);
        const auto lesson_id = f.integer("lesson", 1, any_id);
        const auto step_id = f.integer("step", 1, any_id);
        const auto tries = static_cast<int>(f.integer("tries", 1, 100).value_or(1));
        f.finish();
        if (lesson_id.has_value() == step_id.has_value())
            throw bad_field("lesson", "either lesson or step is expected");
        const auto at = w.now();
        const auto done =
            lesson_id ? w.pass_lesson(c, user, *lesson_id, tries) : w.pass_step(c, user, *step_id, tries);
        if (!done)
            refuse(done.error().code == grade_errc::unknown_student ? "user"
                   : lesson_id                                      ? "lesson"
                                                                    : "step",
                done.error());
        return answer(json{{"steps", done->steps}, {"lessons", done->lessons}, {"at", base::to_iso8601(at)}});
    }

    // {passes: [{user, lesson}…]} or every one of `users` × every one of `lessons`.
    http::response pass_many(const http::request& r)
    {
        fields f(r.body);
        auto& c = room(f);
        const auto users = f.integers("users");
        const auto lessons = f.integers("lessons");
        auto passes = f.objects("passes");
        f.finish();
        if (passes.empty() == (users.empty() || lessons.empty()))
            throw bad_field("passes", "either passes, or users and lessons are expected");
        std::vector<std::pair<std::int64_t, std::int64_t>> asked;
        for (auto& one : passes) {
            const auto user = one.required_integer("user", 1, any_id);
            asked.emplace_back(user, one.required_integer("lesson", 1, any_id));
            one.finish();
        }
        for (const auto user : users)
            for (const auto lesson_id : lessons)
                asked.emplace_back(user, lesson_id);
        // Nothing is passed when one of them can't be.
        for (const auto& [user, lesson_id] : asked) {
            if (c.grades.find(user) == nullptr)
                throw not_there("user", "not enrolled in this course: user " + std::to_string(user));
            const auto* const l = c.course.find_lesson(lesson_id);
            if (l == nullptr)
                throw not_there(
                    "lesson", "no such lesson in the course: lesson " + std::to_string(lesson_id));
            if (l->slots() == 0)
                throw conflict("lesson", "no gradable step in lesson " + std::to_string(lesson_id));
        }
        const auto at = w.now();
        std::int64_t steps = 0, whole = 0;
        for (const auto& [user, lesson_id] : asked) {
            const auto done = w.pass_lesson(c, user, lesson_id, 1);
            if (done) {
                steps += done->steps;
                whole += static_cast<std::int64_t>(done->lessons.size());
            }
        }
        return answer(json{{"steps", steps}, {"lessons", whole}, {"at", base::to_iso8601(at)}});
    }

    http::response view(const http::request& r)
    {
        fields f(r.body);
        auto& c = room(f);
        const auto user = f.required_integer("user", 1, any_id);
        const auto failed_step = f.integer("failed_step", 1, any_id);
        f.finish();
        const auto done =
            failed_step ? c.grades.fail_step(user, *failed_step, w.now()) : c.grades.view(user, w.now());
        if (!done)
            refuse(done.error().code == grade_errc::unknown_student ? "user" : "failed_step", done.error());
        return answer(json{{"at", base::to_iso8601(w.now())}});
    }

    static json printed(const pass_record& p)
    {
        return json{{"user", p.user}, {"lesson", p.lesson}, {"at", base::to_iso8601(p.passed_at)},
            {"visible_at", base::to_iso8601(p.visible_at)}, {"served_at", time_or_null(p.served_at)}};
    }

    http::response passes(const http::request& r) const
    {
        const auto only = query_number(r, "course");
        const auto user = query_number(r, "user");
        if (only)
            room(only);
        auto out = json::array();
        for (const auto& c : w.classrooms()) {
            if (only && c->course.id != *only)
                continue;
            for (const auto& p : c->grades.passes()) {
                if (user && p.user != *user)
                    continue;
                auto line = printed(p);
                line["course"] = c->course.id;
                out.push_back(std::move(line));
            }
        }
        return answer(json{{"passes", out}});
    }

    // Every whole lesson of every student, however it came about.
    http::response progress(const http::request& r) const
    {
        const auto& c = room(r);
        auto out = json::array();
        for (const auto& e : c.grades.enrolments()) {
            if (e.is_teacher)
                continue;
            auto lessons = json::array();
            for (const auto& s : c.course.sections())
                for (const auto& l : s.lessons) {
                    const auto p = c.grades.lesson_progress(e, l);
                    if (p.total > 0 && p.passed == p.total)
                        lessons.push_back(l.id);
                }
            out.push_back(json{{"user", e.person->id}, {"lessons", lessons}});
        }
        return answer(json{{"course", c.course.id}, {"students", out}});
    }

    // Faults and knobs
    // ----------------------------------------------------------------------------------------

    static json printed(const fault_rule& f)
    {
        json out{{"id", f.id}, {"target", to_string(f.target)}, {"kind", to_string(f.kind)},
            {"share", f.share}, {"left", f.count ? json(*f.count) : json(nullptr)}, {"path", f.path},
            {"hits", f.hits}};
        if (f.millis)
            out["millis"] = *f.millis;
        if (f.effect)
            out["effect"] = *f.effect;
        return out;
    }

    http::response faults(const http::request&) const
    {
        auto out = json::array();
        for (const auto& f : w.faults.rules())
            out.push_back(printed(f));
        return answer(json{{"faults", out}});
    }

    http::response add_fault(const http::request& r)
    {
        fields f(r.body);
        fault_rule rule;
        const auto to = parse_target(f.required_text("target"));
        if (!to)
            throw bad_field("target", "stepik or boomstream is expected");
        const auto kind = parse_fault_kind(f.required_text("kind"));
        if (!kind)
            throw bad_field("kind", "no such kind of fault");
        rule.target = *to;
        rule.kind = *kind;
        const auto share = f.number("share", 0, 1);
        rule.count = f.integer("count", 1, 1'000'000'000);
        if (!share && !rule.count)
            throw bad_field("share", "share or count is expected");
        rule.share = share.value_or(1.0);
        rule.path = f.text("path").value_or("");
        if (const auto millis = f.integer("millis", 0, 3'600'000))
            rule.millis = static_cast<int>(*millis);
        rule.retry_after = static_cast<int>(f.integer("retry_after", 0, 3600).value_or(1));
        rule.effect = f.flag("effect");
        rule.message = f.text("message");
        const auto seed = f.integer("seed", 0, any_id);
        f.finish();
        if (rule.kind == fault_kind::failed_200 && rule.target == target::stepik)
            throw bad_field("kind", "failed_200 is Boomstream's");
        if (seed)
            w.faults.reseed(static_cast<std::uint64_t>(*seed));
        const auto id = w.faults.add(std::move(rule));
        return answer(json{{"id", id}}, 201);
    }

    http::response clear_faults(const http::request&)
    {
        auto removed = json::array();
        for (const auto& f : w.faults.clear())
            removed.push_back(printed(f));
        return answer(json{{"faults", json::array()}, {"removed", removed}});
    }

    http::response remove_fault(const http::request& r)
    {
        const auto id = to_integer(r.path_parameters.at("id"));
        if (!id || *id > std::numeric_limits<int>::max() || !w.faults.remove(static_cast<int>(*id)))
            throw not_there("id", "no such fault");
        return faults(r);
    }

    http::response show_settings(const http::request&) const
    {
        json out;
        for (const auto& k : knobs())
            std::visit([&](auto field) { out[k.name] = w.settings.*field; }, k.field);
        return answer(out);
    }

    http::response change_settings(const http::request& r)
    {
        fields f(r.body);
        auto changed = w.settings;
        for (const auto& k : knobs()) {
            if (const auto* const number = std::get_if<int settings::*>(&k.field)) {
                if (const auto v = f.integer(k.name, k.least, k.most))
                    changed.*(*number) = static_cast<int>(*v);
            }
            else if (const auto* const flag = std::get_if<bool settings::*>(&k.field)) {
                if (const auto v = f.flag(k.name))
                    changed.*(*flag) = *v;
            }
            else if (const auto v = f.text(k.name)) {
                if (std::ranges::find(k.words, *v) == k.words.end())
                    throw bad_field(k.name, "no such value: " + *v);
                changed.*std::get<std::string settings::*>(k.field) = *v;
            }
        }
        f.finish();
        w.settings = changed;
        return show_settings(r);
    }

    // What happened
    // -------------------------------------------------------------------------------------------

    http::response counters(const http::request&) const
    {
        auto calls = json::array();
        for (const auto& [key, tally] : w.calls.tallies())
            calls.push_back(
                json{{"target", to_string(key.target)}, {"path", key.path}, {"status", key.status},
                    {"fault", key.fault}, {"calls", tally.calls}, {"failed", tally.failed}});
        json total, load;
        for (const auto t : targets) {
            const auto name = std::string(to_string(t));
            const auto& l = w.calls.load_of(t);
            total[name] = w.calls.total(t);
            load[name] = json{{"in_flight", l.in_flight}, {"most_in_flight", l.most_in_flight},
                {"most_per_second", l.most_per_second}};
        }
        return answer(json{{"total", total}, {"load", load}, {"calls", calls}});
    }

    http::response clear_counters(const http::request& r)
    {
        w.calls.clear();
        return counters(r);
    }

    http::response calls(const http::request& r) const
    {
        const auto limit = static_cast<std::size_t>(query_number(r, "limit").value_or(50));
        auto out = json::array();
        for (const auto& c : w.calls.recent()) {
            if (out.size() >= limit)
                break;
            out.push_back(json{{"at", base::to_iso8601(c.at)}, {"target", to_string(c.target)},
                {"method", c.method}, {"path", c.path}, {"detail", c.detail}, {"status", c.status},
                {"failed", c.failed}, {"fault", c.fault}, {"ms", static_cast<double>(c.micros) / 1000}});
        }
        return answer(json{{"calls", out}});
    }

    http::response ledger(const http::request& r) const
    {
        const auto only = r.query.get("subscription");
        auto buyers = json::array();
        for (const auto& p : w.projects())
            for (const auto& s : p->subscriptions()) {
                if (only && s.code != *only)
                    continue;
                for (const auto& b : s.buyers)
                    buyers.push_back(json{{"project", p->name()}, {"subscription", s.code}, {"hash", b.hash},
                        {"email", b.email}, {"name", b.name}, {"media", b.media}, {"live", b.live},
                        {"end", to_moscow(b.expires_at)}, {"end_utc", time_or_null(b.expires_at)},
                        {"recovery", b.recovery}, {"devices", b.devices.size()}, {"created", b.created},
                        {"refreshed", b.refreshed}, {"updated", b.updated}, {"deleted", b.deleted},
                        {"mails", b.mails}, {"bought_at", base::to_iso8601(b.bought_at)},
                        {"changed_at", base::to_iso8601(b.changed_at)}});
            }
        auto passed = json::array();
        for (const auto& c : w.classrooms())
            for (const auto& p : c->grades.passes()) {
                auto line = printed(p);
                line["course"] = c->course.id;
                passed.push_back(std::move(line));
            }
        return answer(json{{"buyers", buyers}, {"passes", passed}});
    }

    // Boomstream
    // ----------------------------------------------------------------------------------------------

    http::response subscriptions(const http::request& r) const
    {
        const auto& c = room(r);
        const auto& p = project_of(c);
        auto all = json::array();
        for (const auto& s : p.subscriptions()) {
            const auto live = std::ranges::count(s.buyers, true, &buyer::live);
            all.push_back(json{{"subscription", s.code}, {"name", s.name},
                {"kind", s.kind == subscription_kind::group ? "group" : "single"}, {"media", s.media},
                {"buyers", live}});
        }
        auto lessons = json::array();
        for (const auto& s : c.course.sections())
            for (const auto& l : s.lessons)
                lessons.push_back(json{{"lesson", l.id}, {"title", l.title}, {"media", w.media_code(p, l.id)},
                    {"subscription", w.single_code(p, l.id)}});
        return answer(json{{"group", w.group_code(p)}, {"lessons", lessons}, {"subscriptions", all}});
    }

    http::response add_subscription(const http::request& r)
    {
        fields f(r.body);
        auto& p = project_of(room(f));
        subscription s;
        s.code = f.required_text("code");
        const bool fits = s.code.size() == 8 &&
                          std::ranges::all_of(s.code, [](unsigned char ch) { return std::isalnum(ch) != 0; });
        if (!fits)
            throw bad_field("code", "8 characters [A-Za-z0-9] are expected");
        s.name = f.text("name").value_or(s.code);
        const auto kind = f.text("kind").value_or("group");
        if (kind != "group" && kind != "single")
            throw bad_field("kind", "group or single is expected");
        s.kind = kind == "group" ? subscription_kind::group : subscription_kind::single;
        s.media = f.texts("media");
        if (const auto activation = f.integer("activation", 0, 1'000'000))
            s.activation = static_cast<int>(*activation);
        if (const auto period = f.integer("period", 1, 100'000))
            s.period_days = static_cast<int>(*period);
        f.finish();
        for (const auto& media : s.media)
            if (p.find_medium(media) == nullptr)
                throw not_there("media", "no such video: " + media);
        s.created_at = w.now();
        const json out{{"subscription", s.code}, {"kind", kind}, {"media", s.media}};
        p.add_subscription(std::move(s));
        return answer(out, 201);
    }

    http::response expire_tokens(const http::request&)
    {
        w.expire_tokens();
        return answer(json{{"tokens", 0}});
    }

    http::response reset(const http::request& r)
    {
        fields f(r.body);
        const auto seed = f.integer("seed", 0, any_id);
        f.finish();
        w.reset();
        if (seed) {
            w.faults.reseed(static_cast<std::uint64_t>(*seed));
            w.random = seeded_random(static_cast<std::uint64_t>(*seed));
        }
        return courses(r);
    }

    world& w;
};

control_api::control_api(world& w) : impl_(std::make_shared<impl>(w)) {}
control_api::~control_api() = default;

std::vector<http::route> control_api::routes() const
{
    using changing = http::response (impl::*)(const http::request&);
    using reading = http::response (impl::*)(const http::request&) const;
    std::vector<http::route> out;
    const auto add = [&](const char* method, const char* path, auto what) {
        out.push_back({method, std::string("/control/") + path,
            [self = impl_, what](http::request& r) -> async::task<http::response> {
                try {
                    co_return (self.get()->*what)(r);
                }
                catch (const not_there& e) {
                    co_return http::response::error(404, "not_found", e.what(), e.field());
                }
                catch (const conflict& e) {
                    co_return http::response::error(409, "conflict", e.what(), e.field());
                }
                catch (const bad_field& e) {
                    co_return http::response::error(400, "bad_request", e.what(), e.field());
                }
            }});
    };
    const auto get = [&](const char* path, reading what) { add("GET", path, what); };
    const auto post = [&](const char* path, changing what) { add("POST", path, what); };

    get("courses", &impl::courses);
    post("courses", &impl::add_course);
    get("courses/{course}", &impl::show_course);
    post("course/insert-step", &impl::insert_step);
    post("course/add-lesson", &impl::add_lesson);
    post("course/move-lesson", &impl::move_lesson);
    post("course/remove-lesson", &impl::remove_lesson);

    get("students", &impl::students);
    post("students", &impl::add_students);
    get("students/{user}", &impl::student);
    post("pass", &impl::pass);
    post("pass-many", &impl::pass_many);
    post("view", &impl::view);
    get("passes", &impl::passes);
    get("progress", &impl::progress);

    get("faults", &impl::faults);
    post("faults", &impl::add_fault);
    add("DELETE", "faults", changing(&impl::clear_faults));
    add("DELETE", "faults/{id}", changing(&impl::remove_fault));
    get("settings", &impl::show_settings);
    add("PUT", "settings", changing(&impl::change_settings));

    get("counters", &impl::counters);
    add("DELETE", "counters", changing(&impl::clear_counters));
    get("calls", &impl::calls);
    get("ledger", &impl::ledger);

    get("subscriptions", &impl::subscriptions);
    post("subscriptions", &impl::add_subscription);
    post("expire-tokens", &impl::expire_tokens);
    post("reset", &impl::reset);
    return out;
}

} // namespace coursegate::sandbox
