#include "handlers/stepik.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/base/secret.hpp"
#include "domain/text.hpp"
#include "handlers/embedded.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <set>

namespace coursegate::sandbox {

using json = nlohmann::ordered_json;

namespace {

// RFC 6749, 2.3.1: both halves of an application's Basic credentials are encoded as in a form.
std::string form_decoded(const std::string& text)
{
    std::string value = "v=";
    for (const char c : text)
        value += c == '&' ? std::string("%26") : std::string(1, c);
    return http::query::parse(value).get("v").value_or("");
}

http::response answer(int status, std::string body)
{
    return http::response::text(status, std::move(body), "application/json");
}

http::response answer(int status, const json& body)
{
    return answer(status, body.dump());
}

http::response detail(int status, const std::string& text)
{
    return answer(status, json{{"detail", text}});
}

http::response not_authenticated()
{
    auto out = detail(401, "Authentication credentials were not provided.");
    out.headers.set("WWW-Authenticate", "Bearer realm=\"api\"");
    return out;
}

http::response not_permitted()
{
    return detail(403, "You do not have permission to perform this action.");
}
http::response not_found()
{
    return detail(404, "Not found.");
}

// "2025-07-01T09:00:00Z" or with three digits of fraction.
std::string when(base::time_point t)
{
    const auto text = base::to_iso8601(t);
    return text.substr(0, text.substr(20, 3) == "000" ? 19 : 23) + "Z";
}

// "Модуль 2" → "Модуль-2-561993"
std::string slug(std::string title, std::int64_t id)
{
    std::ranges::replace(title, ' ', '-');
    return title + "-" + std::to_string(id);
}

json subscriptions(const std::string& type, std::int64_t id)
{
    const auto tail = type + "-" + std::to_string(id);
    return json::array({"31-" + tail, "30-" + tail});
}

struct caller
{
    std::int64_t account = 0; // 0: nobody
};

} // namespace

struct stepik_api::impl
{
    explicit impl(world& the_world) : w(the_world), templates(json::parse(embedded("course/templates.json")))
    {}

    // Lists
    // ---------------------------------------------------------------------------------------------------

    struct page_of
    {
        int page = 1;
        int size = 20;
    };

    // nullopt: "Invalid page."
    std::optional<page_of> page(const http::request& r) const
    {
        page_of out;
        out.size = std::max(1, w.settings.page_size);
        if (const auto asked = r.query.get("page_size"); asked && w.settings.honour_page_size)
            if (const auto n = to_integer(*asked); n && *n > 0)
                out.size = static_cast<int>(std::min<std::int64_t>(*n, 100));
        if (const auto asked = r.query.get("page")) {
            const auto n = to_integer(*asked);
            if (!n || *n < 1 || *n > 100'000'000)
                return std::nullopt;
            out.page = static_cast<int>(*n);
        }
        return out;
    }

    static std::string head(const std::string& name, int page, bool has_next, bool has_previous)
    {
        std::string out = "{\"meta\":{\"page\":";
        append(out, page);
        out += has_next ? ",\"has_next\":true" : ",\"has_next\":false";
        out += has_previous ? ",\"has_previous\":true" : ",\"has_previous\":false";
        out += "},\"" + name + "\":[";
        return out;
    }

    using printer = std::function<std::optional<json>(std::int64_t)>;

    // One page of `all`. With ids[] in the request everything is one page.
    http::response list(const http::request& r, const std::string& name, const std::vector<std::int64_t>& all,
        const printer& print, const std::string& side_loaded = {}) const
    {
        const auto p = page(r);
        if (!p)
            return detail(404, "Invalid page.");
        const bool by_ids = !ids_of(r).empty();
        const auto size = by_ids ? std::max<std::size_t>(all.size(), 1) : static_cast<std::size_t>(p->size);
        const auto first = (static_cast<std::size_t>(p->page) - 1) * size;
        const auto last = std::min(first + size, all.size());
        if (p->page > 1 && first >= all.size() && w.settings.strict_pages)
            return detail(404, "Invalid page.");
        auto body = head(name, p->page, first < all.size() && last<all.size(), p->page> 1);
        bool is_first = true;
        for (auto i = first; i < last; ++i) {
            const auto item = print(all[i]);
            if (!item)
                continue;
            if (!is_first)
                body += ',';
            is_first = false;
            body += item->dump();
        }
        body += "]" + side_loaded + "}";
        return answer(200, std::move(body));
    }

    static std::vector<std::string> ids_of(const http::request& r) { return r.query.get_all("ids[]"); }

    // /{id} or ids[]: one object or a list of those that exist. nullopt: the request names no ids.
    std::optional<http::response> by_id(const http::request& r, const std::string& name, const printer& print,
        const std::string& side = {}) const
    {
        if (const auto at = r.path_parameters.find("item"); at != r.path_parameters.end()) {
            const auto id = to_integer(at->second);
            const auto found = id ? print(*id) : std::nullopt;
            if (!found)
                return not_found();
            return list(r, name, {*id}, print, side);
        }
        const auto asked = ids_of(r);
        if (asked.empty())
            return std::nullopt;
        if (asked.size() > static_cast<std::size_t>(w.settings.max_ids)) {
            if (w.settings.too_many_ids_status == 400)
                return detail(400, "Too many ids.");
            return http::response::text(w.settings.too_many_ids_status,
                "<html>\r\n<head><title>414 Request-URI Too Large</title></head>\r\n<body>\r\n"
                "<center><h1>414 Request-URI Too Large</h1></center>\r\n<hr><center>nginx</center>\r\n"
                "</body>\r\n</html>\r\n",
                "text/html");
        }
        std::vector<std::int64_t> ids;
        for (const auto& text : asked)
            if (const auto id = to_integer(text);
                id && std::ranges::find(ids, *id) == ids.end() && print(*id))
                ids.push_back(*id);
        return list(r, name, ids, print, side);
    }

    static std::optional<std::int64_t> number(const http::request& r, const char* name)
    {
        const auto text = r.query.get(name);
        return text ? to_integer(*text) : std::nullopt;
    }

    // Who asks
    // ------------------------------------------------------------------------------------------------

    // nullopt: a token that is unknown or expired. No token at all is a stranger, who may see what is public.
    std::optional<caller> who(const http::request& r) const
    {
        const auto header = r.headers.get("Authorization");
        if (!header)
            return caller{};
        if (!header->starts_with("Bearer "))
            return std::nullopt;
        const auto account = w.account_of(header->substr(7));
        if (!account)
            return std::nullopt;
        return caller{*account};
    }

    bool is_staff(const caller& c, const course& of) const { return c.account != 0 && c.account == of.owner; }
    bool may_see_grades(const caller& c, const course& of) const
    {
        return is_staff(c, of) && w.settings.grade_book_enabled;
    }
    bool knows_learners(const caller& c, const course& of) const
    {
        return is_staff(c, of) && w.settings.learners_group_visible;
    }
    classroom* by_group(std::int64_t group) const
    {
        const auto at = std::ranges::find_if(
            w.classrooms(), [&](const auto& c) { return c->course.learners_group == group; });
        return at == w.classrooms().end() ? nullptr : at->get();
    }

    // Objects
    // -------------------------------------------------------------------------------------------------

    std::optional<json> course_object(std::int64_t id, const caller& c) const
    {
        const auto* const room = w.find_course(id);
        if (room == nullptr)
            return std::nullopt;
        const auto& from = room->course;
        auto out = templates.at("course");
        auto sections = json::array();
        int units = 0, quizzes = 0, challenges = 0, learners = 0;
        for (const auto& s : from.sections()) {
            sections.push_back(s.id);
            units += static_cast<int>(s.lessons.size());
            for (const auto& l : s.lessons)
                for (const auto& st : l.steps)
                    (st.review ? challenges : quizzes) += st.is_theory() ? 0 : 1;
        }
        for (const auto& e : room->grades.enrolments())
            learners += e.is_teacher ? 0 : 1;
        const auto text = std::to_string(id);
        out["id"] = id;
        out["cover"] = "https://cdn.stepik.net/media/cache/images/courses/" + text + "/cover.png";
        out["instructors"] = json::array({from.owner});
        out["authors"] = json::array({from.owner});
        out["owner"] = from.owner;
        out["sections"] = sections;
        out["total_units"] = units;
        out["lessons_count"] = units;
        out["quizzes_count"] = quizzes;
        out["challenges_count"] = challenges;
        out["learners_count"] = learners;
        out["subscriptions"] = subscriptions("78", id);
        out["last_step"] = "78-" + text;
        out["continue_url"] = "/course/" + text + "/continue";
        out["canonical_url"] = "https://stepik.org/course/" + text + "/";
        out["title"] = from.title;
        out["slug"] = slug(from.title, id);
        if (!from.sections().empty() && !from.sections().front().lessons.empty()) {
            out["first_lesson"] = from.sections().front().lessons.front().id;
            out["first_unit"] = from.sections().front().lessons.front().unit;
        }
        if (is_staff(c, from)) {
            for (auto& [name, action] : out["actions"].items())
                if (action.contains("needs_permission"))
                    action["enabled"] = true;
            out["actions"]["view_grade_book"]["enabled"] = w.settings.grade_book_enabled;
            out["actions"]["view_grade_book_page"]["enabled"] = w.settings.grade_book_enabled;
            out["progress"] = "78-" + text;
            // Each course has its groups at ten thousands of one another: learners, testers, moderators, …
            std::int64_t offset = 0;
            for (const auto* group : {"learners_group", "testers_group", "moderators_group",
                     "assistants_group", "teachers_group", "admins_group"})
            {
                out[group] = from.learners_group + offset;
                offset += 10'000;
            }
            if (!w.settings.learners_group_visible)
                out["learners_group"] = nullptr;
        }
        return out;
    }

    std::optional<json> section_object(std::int64_t id) const
    {
        for (const auto& room : w.classrooms()) {
            int position = 0;
            for (const auto& s : room->course.sections()) {
                ++position;
                if (s.id != id)
                    continue;
                auto out = templates.at("section");
                auto units = json::array();
                for (const auto& l : s.lessons)
                    units.push_back(l.unit);
                out["id"] = id;
                out["course"] = room->course.id;
                out["units"] = units;
                out["position"] = position;
                out["progress"] = "79-" + std::to_string(id);
                out["title"] = s.title;
                out["slug"] = slug(s.title, id);
                return out;
            }
        }
        return std::nullopt;
    }

    std::optional<json> unit_object(std::int64_t id) const
    {
        for (const auto& room : w.classrooms()) {
            for (const auto& s : room->course.sections()) {
                int position = 0;
                for (const auto& l : s.lessons) {
                    ++position;
                    if (l.unit != id)
                        continue;
                    auto out = templates.at("unit");
                    auto assignments = json::array();
                    for (const auto& st : l.steps)
                        assignments.push_back(st.id + 115'000); // invented, one per step
                    out["id"] = id;
                    out["section"] = s.id;
                    out["lesson"] = l.id;
                    out["assignments"] = assignments;
                    out["position"] = position;
                    return out;
                }
            }
        }
        return std::nullopt;
    }

    std::optional<json> lesson_object(std::int64_t id, const caller& c) const
    {
        const lesson* found = nullptr;
        auto courses = json::array();
        auto units = json::array();
        bool sees = false;
        bool is_public = false;
        int passed_by = 0, viewed_by = 0;
        std::int64_t owner = 0;
        for (const auto& room : w.classrooms()) {
            const auto* const l = room->course.find_lesson(id);
            if (l == nullptr)
                continue;
            const auto& first = room->course.sections().front();
            is_public = is_public || (!first.lessons.empty() && first.lessons.front().id == id);
            if (found == nullptr)
                owner = room->course.owner;
            found = l;
            courses.push_back(room->course.id);
            units.push_back(l->unit);
            sees = sees || is_staff(c, room->course);
            for (const auto& st : l->steps) {
                const auto n = room->grades.passed_by(st);
                viewed_by = std::max(viewed_by, n);
                passed_by = passed_by == 0 ? n : std::min(passed_by, n);
            }
        }
        if (found == nullptr)
            return std::nullopt;
        auto out = templates.at("lesson");
        auto steps = json::array();
        if (sees || is_public)
            for (const auto& st : found->steps)
                steps.push_back(st.id);
        out["id"] = id;
        out["steps"] = steps;
        out["actions"] = sees || is_public ? json{{"learn_lesson", "#"}} : json::object();
        out["progress"] = c.account == 0 ? json(nullptr) : json("76-" + std::to_string(id));
        out["subscriptions"] = subscriptions("76", id);
        out["viewed_by"] = viewed_by;
        out["passed_by"] = passed_by;
        out["time_to_complete"] = 45 * static_cast<int>(found->steps.size());
        out["courses"] = courses;
        out["units"] = units;
        out["owner"] = owner;
        out["is_public"] = is_public;
        out["canonical_url"] = "https://stepik.org/lesson/" + std::to_string(id) + "/";
        out["title"] = found->title;
        out["slug"] = slug(found->title, id);
        out["discussion_proxy"] = "76-" + std::to_string(id) + "-1";
        out["discussion_threads"] = json::array({"76-" + std::to_string(id) + "-1"});
        return out;
    }

    std::optional<json> step_object(std::int64_t id, const caller& c) const
    {
        for (const auto& room : w.classrooms()) {
            const auto place = room->course.find_step(id);
            if (place.step == nullptr || !may_see(*room, *place.lesson, c))
                continue;
            const auto text = std::to_string(id);
            auto out = templates.at("step");
            out["id"] = id;
            out["lesson"] = place.lesson->id;
            out["position"] = place.step->position;
            out["block"]["name"] = place.step->block;
            out["block"]["text"] = place.step->is_theory() ? "<p>Текст шага.</p>" : "<p>Текст задания.</p>";
            out["actions"] =
                place.step->is_theory() ? json{{"comment", "#"}} : json{{"submit", "#"}, {"comment", "#"}};
            out["progress"] = "77-" + text;
            out["subscriptions"] = subscriptions("77", id);
            out["viewed_by"] = room->grades.passed_by(*place.step);
            out["passed_by"] = room->grades.passed_by(*place.step);
            out["worth"] = place.step->worth;
            if (place.step->is_theory())
                out["correct_ratio"] = nullptr;
            if (place.step->review)
                out["instruction_type"] = "peer";
            out["discussion_proxy"] = "77-" + text + "-1";
            out["discussion_threads"] = json::array({"77-" + text + "-1"});
            return out;
        }
        return std::nullopt;
    }

    bool may_see(const classroom& room, const lesson& l, const caller& c) const
    {
        if (is_staff(c, room.course))
            return true;
        const auto& first = room.course.sections().front();
        return !first.lessons.empty() && first.lessons.front().id == l.id;
    }

    std::optional<json> user_object(std::int64_t id) const
    {
        const auto* const p = w.find_person(id);
        if (p == nullptr)
            return std::nullopt;
        auto out = templates.at("user");
        out["id"] = id;
        out["profile"] = id;
        out["first_name"] = p->first_name;
        out["last_name"] = p->last_name;
        out["full_name"] = p->first_name + " " + p->last_name;
        out["avatar"] = "https://stepik.org/users/" + std::to_string(id) + "/deadbeef/avatar.svg";
        out["join_date"] = when(p->joined_at);
        out["knowledge"] = id % 1000;
        out["solved_steps_count"] = id % 1000;
        return out;
    }

    // Endpoints
    // -----------------------------------------------------------------------------------------------

    http::response courses(const http::request& r, const caller& c) const
    {
        const auto print = [&](std::int64_t id) { return course_object(id, c); };
        if (auto out = by_id(r, "courses", print, ",\"enrollments\":[]"))
            return std::move(*out);
        std::vector<std::int64_t> all;
        const auto teacher = number(r, "teacher");
        for (const auto& room : w.classrooms())
            if (!teacher || room->course.owner == *teacher)
                all.push_back(room->course.id);
        return list(r, "courses", all, print, ",\"enrollments\":[]");
    }

    http::response sections(const http::request& r) const
    {
        const auto print = [&](std::int64_t id) { return section_object(id); };
        if (auto out = by_id(r, "sections", print))
            return std::move(*out);
        std::vector<std::int64_t> all;
        const auto of = number(r, "course");
        for (const auto& room : w.classrooms())
            for (const auto& s : room->course.sections())
                if (!of || *of == room->course.id)
                    all.push_back(s.id);
        return list(r, "sections", all, print);
    }

    http::response units(const http::request& r) const
    {
        const auto print = [&](std::int64_t id) { return unit_object(id); };
        if (auto out = by_id(r, "units", print))
            return std::move(*out);
        std::vector<std::int64_t> all;
        const auto of = number(r, "course"), in = number(r, "section"), with = number(r, "lesson");
        for (const auto& room : w.classrooms())
            for (const auto& s : room->course.sections())
                for (const auto& l : s.lessons)
                    if ((!of || *of == room->course.id) && (!in || *in == s.id) && (!with || *with == l.id))
                        all.push_back(l.unit);
        return list(r, "units", all, print);
    }

    http::response lessons(const http::request& r, const caller& c) const
    {
        const auto print = [&](std::int64_t id) { return lesson_object(id, c); };
        if (auto out = by_id(r, "lessons", print))
            return std::move(*out);
        std::set<std::int64_t> all;
        const auto of = number(r, "course");
        for (const auto& room : w.classrooms())
            for (const auto& s : room->course.sections())
                for (const auto& l : s.lessons)
                    if (!of || *of == room->course.id)
                        all.insert(l.id);
        std::vector<std::int64_t> ids(all.begin(), all.end());
        if (r.query.get("order") == "-id")
            std::ranges::reverse(ids);
        return list(r, "lessons", ids, print);
    }

    http::response steps(const http::request& r, const caller& c) const
    {
        const auto print = [&](std::int64_t id) { return step_object(id, c); };
        if (auto out = by_id(r, "steps", print))
            return std::move(*out);
        std::vector<std::int64_t> all;
        const auto of = number(r, "lesson");
        if (!of)
            return not_permitted(); // the steps of all Stepik are not to be had
        for (const auto& room : w.classrooms())
            if (const auto* const l = room->course.find_lesson(*of);
                l != nullptr && may_see(*room, *l, c) && all.empty())
                for (const auto& st : l->steps)
                    all.push_back(st.id);
        return list(r, "steps", all, print);
    }

    http::response users(const http::request& r) const
    {
        const auto print = [&](std::int64_t id) { return user_object(id); };
        if (auto out = by_id(r, "users", print))
            return std::move(*out);
        return not_permitted();
    }

    http::response members(const http::request& r, const caller& c) const
    {
        if (c.account == 0)
            return not_authenticated();
        const auto group = number(r, "group");
        const auto* const room = group ? by_group(*group) : nullptr;
        if (room == nullptr || !knows_learners(c, room->course))
            return not_permitted();
        grade_query q; // the same people as in the grade book, found the same way
        q.search = r.query.get("search").value_or("");
        q.page_size = static_cast<int>(room->grades.enrolments().size()) + 1;
        const auto rows = room->grades.select(q).rows;
        std::vector<std::int64_t> all;
        for (const auto row : rows)
            all.push_back(static_cast<std::int64_t>(row));
        return list(r, "members", all, [&](std::int64_t row) -> std::optional<json> {
            const auto& e = room->grades.enrolments()[static_cast<std::size_t>(row)];
            return json{{"id", e.member_id}, {"group", *group}, {"user", e.person->id},
                {"date_joined", when(e.joined_at)}};
        });
    }

    http::response groups(const http::request& r, const caller& c) const
    {
        if (c.account == 0)
            return not_authenticated();
        const auto print = [&](std::int64_t id) -> std::optional<json> {
            const auto* const room = by_group(id);
            if (room == nullptr || !knows_learners(c, room->course))
                return std::nullopt;
            auto people = json::array();
            for (const auto& e : room->grades.enrolments())
                people.push_back(e.person->id);
            return json{{"id", id}, {"users", people}};
        };
        if (auto out = by_id(r, "groups", print))
            return std::move(*out);
        return not_permitted();
    }

    http::response classes(const http::request& r, const caller& c) const
    {
        if (c.account == 0)
            return not_authenticated();
        const auto print = [&](std::int64_t id) -> std::optional<json> {
            for (const auto& room : w.classrooms()) {
                const auto students = std::ranges::count(room->grades.enrolments(), id, &enrolment::klass);
                if (id == 0 || students == 0 || !is_staff(c, room->course))
                    continue;
                auto out = templates.at("class");
                out["id"] = id;
                out["course"] = room->course.id;
                out["owner"] = room->course.owner;
                out["students_count"] = students;
                return out;
            }
            return std::nullopt;
        };
        if (auto out = by_id(r, "classes", print))
            return std::move(*out);
        return not_permitted();
    }

    http::response students(const http::request& r, const caller& c) const
    {
        if (c.account == 0)
            return not_authenticated();
        const auto klass = number(r, "klass");
        std::vector<std::int64_t> all;
        const classroom* of = nullptr;
        for (const auto& room : w.classrooms()) {
            if (!klass || *klass == 0 || !is_staff(c, room->course))
                continue;
            const auto& rows = room->grades.enrolments();
            for (std::size_t i = 0; i < rows.size(); ++i)
                if (rows[i].klass == *klass && (of == nullptr || of == room.get())) {
                    of = room.get();
                    all.push_back(static_cast<std::int64_t>(i));
                }
        }
        if (of == nullptr)
            return not_permitted();
        return list(r, "students", all, [&](std::int64_t row) -> std::optional<json> {
            const auto& e = of->grades.enrolments()[static_cast<std::size_t>(row)];
            return json{{"id", e.member_id - 70'000'000}, {"klass", e.klass}, {"user", e.person->id},
                {"date_joined", when(e.joined_at)}};
        });
    }

    http::response stepics(const http::request&, const caller& c) const
    {
        const auto user = c.account == 0 ? std::nullopt : user_object(c.account);
        if (!user)
            return not_authenticated();
        const auto& p = *w.find_person(c.account);
        const json profile{{"id", p.id}, {"first_name", p.first_name}, {"last_name", p.last_name},
            {"is_guest", false}, {"email_addresses", json::array({p.id % 100'000'000})}};
        const json body{{"meta", {{"page", 1}, {"has_next", false}, {"has_previous", false}}},
            {"stepics", json::array({json{{"id", 1}, {"user", p.id}, {"profile", p.id}}})},
            {"users", json::array({*user})}, {"profiles", json::array({profile})}};
        return answer(200, body);
    }

    http::response course_grades(const http::request& r, const caller& c, answering& about) const
    {
        if (c.account == 0)
            return not_authenticated();
        const auto of = number(r, "course");
        if (!of)
            return answer(400, json{{"course", json::array({"This field is required."})}});
        auto* const room = w.find_course(*of);
        if (room == nullptr)
            return not_found();
        if (!may_see_grades(c, room->course))
            return not_permitted();
        const auto p = page(r);
        if (!p)
            return detail(404, "Invalid page.");
        grade_query q;
        q.user = number(r, "user");
        q.klass = number(r, "klass");
        if (const auto teacher = r.query.get("is_teacher"))
            q.is_teacher = *teacher == "true" || *teacher == "True" || *teacher == "1";
        q.search = r.query.get("search").value_or("");
        q.order = r.query.get("order").value_or("");
        if (!w.settings.order_by_last_viewed && q.order.find("last_viewed") != std::string::npos)
            q.order.clear();
        q.page = p->page;
        q.page_size = p->size;
        const auto now = w.now();
        room->grades.catch_up(now);
        const auto selected = room->grades.select(q);
        if (selected.rows.empty() && p->page > 1 && w.settings.strict_pages)
            return detail(404, "Invalid page.");
        auto body = head("course-grades", p->page, selected.has_next, selected.has_previous);
        // A row of the sample course with results has 61 KB at most; a body that grows would be copied.
        body.reserve(
            body.size() + selected.rows.size() * static_cast<std::size_t>(room->course.slots() * 118 + 1024));
        bool first = true;
        for (const auto row : selected.rows) {
            if (!first)
                body += ',';
            first = false;
            room->grades.append_row(body, row, now, about.served);
        }
        body += "]}";
        about.grades = &room->grades;
        about.detail = q.user ? "user " + std::to_string(*q.user)
                              : "page " + std::to_string(p->page) + ", " +
                                    std::to_string(selected.rows.size()) + " rows";
        return answer(200, std::move(body));
    }

    http::response token(const http::request& r, answering& about)
    {
        const auto form = http::query::parse(r.body);
        std::string id = form.get("client_id").value_or("");
        std::string secret = form.get("client_secret").value_or("");
        const auto header = r.headers.get("Authorization").value_or("");
        if (header.starts_with("Basic ")) {
            const auto plain = base::from_base64(header.substr(6));
            const auto colon = plain ? plain->find(':') : std::string::npos;
            if (colon != std::string::npos) {
                id = form_decoded(plain->substr(0, colon));
                secret = form_decoded(plain->substr(colon + 1));
            }
        }
        about.detail = "client " + id.substr(0, 40);
        const auto grant = form.get("grant_type").value_or("");
        if (grant != "client_credentials" && grant != "authorization_code")
            return answer(400, json{{"error", grant.empty() ? "invalid_request" : "unsupported_grant_type"}});
        const auto* const a = w.find_application(id);
        if (a == nullptr || !base::equal_in_constant_time(secret, a->client_secret) ||
            !w.settings.client_secret_ok)
            return answer(401, json{{"error", "invalid_client"}});
        auto account = std::optional(a->account);
        if (grant == "authorization_code")
            account = w.take_code(form.get("code").value_or(""), *a, form.get("redirect_uri").value_or(""));
        if (!account)
            return answer(400, json{{"error", "invalid_grant"}});
        json out{{"access_token", w.issue_token(*account)}, {"scope", "read write"},
            {"expires_in", w.settings.token_seconds}, {"token_type", "Bearer"}};
        if (grant == "authorization_code")
            out["refresh_token"] = base::to_hex(base::random_bytes(15));
        return answer(200, out);
    }

    // The page where a person agrees. Real people are signed in at Stepik; here one says who he is.
    http::response authorize(const http::request& r, answering& about) const
    {
        const auto asked = r.method == "POST" ? http::query::parse(r.body) : r.query;
        const auto id = asked.get("client_id").value_or("");
        const auto back = asked.get("redirect_uri").value_or("");
        about.detail = "client " + id.substr(0, 40);
        const auto* const a = w.find_application(id);
        if (a == nullptr || !back.starts_with("http") || asked.get("response_type") != "code")
            return http::response::html(
                400, "<!doctype html><title>Error</title><h1>Error: invalid_request</h1>");
        const auto escaped = [](const std::string& text) {
            std::string out;
            for (const char c : text)
                out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '"' ? "&quot;" : std::string(1, c);
            return out;
        };
        if (r.method != "POST") {
            std::string page = "<!doctype html><html lang=\"en\"><title>Stepik</title>"
                               "<form method=\"post\" action=\"/oauth2/authorize/\">";
            for (const auto* name : {"client_id", "redirect_uri", "response_type", "scope", "state"})
                if (const auto value = asked.get(name))
                    page += std::string("<input type=\"hidden\" name=\"") + name + "\" value=\"" +
                            escaped(*value) + "\">";
            return http::response::html(200, page + "<label>Your id at Stepik <input name=\"user\"></label>"
                                                    "<button name=\"allow\" value=\"1\">Authorize</button>"
                                                    "<button>Cancel</button></form></html>");
        }
        auto to = back + (back.find('?') == std::string::npos ? "?" : "&");
        const auto person = to_integer(asked.get("user").value_or(""));
        if (asked.get("allow") && person && w.find_person(*person) != nullptr)
            to += "code=" + w.issue_code(*a, *person, back);
        else
            to += "error=access_denied";
        if (const auto state = asked.get("state"))
            to += "&state=" + base::percent_encode(*state);
        return http::response::redirect(to, 302);
    }

    http::response get(const http::request& r, answering& about) const
    {
        const auto c = who(r);
        if (!c)
            return not_authenticated();
        const auto at = r.path_parameters.find("object");
        const std::string object = at == r.path_parameters.end() ? "" : at->second;
        if (object == "course-grades" && !r.path_parameters.contains("item"))
            return course_grades(r, *c, about);
        if (const auto n = ids_of(r).size(); n > 0)
            about.detail = std::to_string(n) + " ids";
        if (object == "courses")
            return courses(r, *c);
        if (object == "sections")
            return sections(r);
        if (object == "units")
            return units(r);
        if (object == "lessons")
            return lessons(r, *c);
        if (object == "steps")
            return steps(r, *c);
        if (object == "members")
            return members(r, *c);
        if (object == "groups")
            return groups(r, *c);
        if (object == "users")
            return users(r);
        if (object == "classes")
            return classes(r, *c);
        if (object == "students")
            return students(r, *c);
        if (object == "stepics")
            return stepics(r, *c);
        return not_found();
    }

    http::response post(const http::request& r) const
    {
        const auto c = who(r);
        if (!c || c->account == 0)
            return not_authenticated();
        const auto parameter = [&](const char* name) {
            const auto at = r.path_parameters.find(name);
            return at == r.path_parameters.end() ? std::string() : at->second;
        };
        if (parameter("object") != "course-grades" || parameter("action") != "refresh")
            return detail(405, "Method \"POST\" not allowed.");
        const auto row = to_integer(parameter("item"));
        for (const auto& room : w.classrooms())
            if (row && may_see_grades(*c, room->course) && room->grades.refresh(*row, w.now()))
                return answer(200, json::object());
        return not_found();
    }

    world& w;
    const json templates;
};

stepik_api::stepik_api(world& w) : impl_(std::make_unique<impl>(w)) {}
stepik_api::~stepik_api() = default;

http::response stepik_api::token(const http::request& r, answering& about)
{
    return impl_->token(r, about);
}

http::response stepik_api::authorize(const http::request& r, answering& about)
{
    return impl_->authorize(r, about);
}

http::response stepik_api::get(const http::request& r, answering& about)
{
    auto out = impl_->get(r, about);
    compress(out, r, impl_->w.settings.gzip);
    return out;
}

http::response stepik_api::post(const http::request& r, answering&)
{
    return impl_->post(r);
}

} // namespace coursegate::sandbox
