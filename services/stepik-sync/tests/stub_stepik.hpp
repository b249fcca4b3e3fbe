// A small stand-in for stepik.org: one course, its structure, its students, and faults on demand. It counts
// what it was asked. Tests change its members between calls.
#pragma once

#include "coursegate/base/encoding.hpp"
#include "coursegate/http/server.hpp"

#include <nlohmann/json.hpp>

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace coursegate::stepik_sync {

class stub_stepik
{
public:
    struct student
    {
        std::int64_t id = 0;
        nlohmann::ordered_json results = nlohmann::ordered_json::object();
        std::string last_viewed = "2026-01-02T10:00:00Z";
        bool is_teacher = false;
    };
    struct step
    {
        std::int64_t id = 0;
        std::string block = "choice";
    };
    struct lesson
    {
        std::int64_t id = 0;
        std::vector<step> steps;
        bool hidden = false; // steps: [] as Stepik answers where the caller may not look
    };
    struct module
    {
        std::int64_t id = 0;
        std::vector<lesson> lessons;
    };

    static constexpr std::int64_t course_id = 247644;

    explicit stub_stepik(async::executor ex) : server_(ex, settings(), routes()) {}

    http::server& server() { return server_; }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(server_.port()); }

    // What it plays.
    std::string client_id = "client";
    std::string client_secret = "secret";
    int token_lifetime = 36'000;
    bool can_view_grades = true;
    bool has_learners_group = true;
    std::size_t page_size = 20;
    std::vector<module> modules;
    std::vector<student> students;
    std::string update_date = "2026-01-01T00:00:00Z";
    std::optional<int> learners_count;

    // The next answers to a path that begins so, in order, instead of what would be answered.
    std::map<std::string, std::deque<http::response>> instead;
    // Runs while a page of grades is being answered: what happens meanwhile.
    std::function<async::task<void>()> during_grades;

    std::map<std::string, int> calls; // by path
    std::vector<std::string> tokens_given;
    void revoke_tokens() { tokens_.clear(); }

    int total_calls() const
    {
        int n = 0;
        for (const auto& [path, count] : calls)
            n += count;
        return n;
    }
    int grade_calls() const
    {
        const auto found = calls.find("/api/course-grades");
        return found == calls.end() ? 0 : found->second;
    }

    student& find(std::int64_t id)
    {
        for (auto& s : students)
            if (s.id == id)
                return s;
        throw std::out_of_range("no such student");
    }

    // A fresh row: every gradable step of the structure, none passed.
    student& add_student(std::int64_t id)
    {
        student s;
        s.id = id;
        for (const auto& m : modules)
            for (const auto& l : m.lessons) {
                int position = 0;
                for (const auto& st : l.steps) {
                    ++position;
                    if (st.block == "text" || st.block == "video")
                        continue;
                    s.results[std::to_string(l.id) + "-" + std::to_string(position)] = {{"step_id", st.id},
                        {"is_passed", false}, {"first_success", nullptr}, {"total_submissions", 0},
                        {"score", 0}};
                }
            }
        students.push_back(std::move(s));
        return students.back();
    }

    void pass(std::int64_t student_id, std::int64_t step_id)
    {
        auto& s = find(student_id);
        for (auto& [key, r] : s.results.items())
            if (r["step_id"] == step_id) {
                r["is_passed"] = true;
                r["first_success"] = 1;
                r["total_submissions"] = 1;
                r["score"] = 1.0;
            }
        s.last_viewed = base::to_iso8601(base::now());
    }

    void pass_lesson(std::int64_t student_id, std::int64_t lesson_id)
    {
        for (const auto& m : modules)
            for (const auto& l : m.lessons)
                if (l.id == lesson_id)
                    for (const auto& st : l.steps)
                        pass(student_id, st.id);
    }

    static http::response status(int code, std::string detail)
    {
        return http::response::json(code, nlohmann::json{{"detail", std::move(detail)}});
    }
    static http::response throttled(int seconds)
    {
        auto r = status(429, "Request was throttled.");
        r.headers.set("Retry-After", std::to_string(seconds));
        return r;
    }

private:
    static http::server_settings settings()
    {
        http::server_settings s;
        s.access_log = false;
        s.metrics_name = "stub";
        return s;
    }

    std::vector<http::route> routes()
    {
        std::vector<http::route> out;
        const auto on = [&out, this](const char* method, const char* pattern,
                            http::response (stub_stepik::*answer)(http::request&)) {
            out.push_back({method, pattern, [this, answer](http::request& r) { return handle(r, answer); }});
        };
        on("POST", "/oauth2/token/", &stub_stepik::token);
        on("GET", "/api/courses/{id}", &stub_stepik::course);
        on("GET", "/api/course-grades", &stub_stepik::grades);
        on("GET", "/api/sections", &stub_stepik::sections);
        on("GET", "/api/units", &stub_stepik::units);
        on("GET", "/api/lessons", &stub_stepik::lessons);
        on("GET", "/api/steps", &stub_stepik::steps);
        return out;
    }

    async::task<http::response> handle(
        http::request& r, http::response (stub_stepik::*answer)(http::request&))
    {
        ++calls[r.path];
        for (auto& [prefix, answers] : instead)
            if (r.path.starts_with(prefix) && !answers.empty()) {
                auto out = std::move(answers.front());
                answers.pop_front();
                co_return out;
            }
        if (r.path == "/oauth2/token/")
            co_return token(r);
        const auto auth = r.headers.get("Authorization").value_or("");
        if (!auth.starts_with("Bearer ") || !tokens_.contains(auth.substr(7)))
            co_return status(401, "Authentication credentials were not provided.");
        auto out = (this->*answer)(r);
        if (r.path == "/api/course-grades" && during_grades)
            co_await during_grades();
        co_return out;
    }

    http::response token(http::request& r)
    {
        const auto auth = r.headers.get("Authorization").value_or("");
        if (auth != "Basic " + base::to_base64(client_id + ":" + client_secret))
            return http::response::json(401, nlohmann::json{{"error", "invalid_client"}});
        const std::string name = "token-" + std::to_string(++last_token_);
        tokens_[name] = true;
        tokens_given.push_back(name);
        return http::response::json(
            200, nlohmann::json{{"access_token", name}, {"expires_in", token_lifetime},
                     {"token_type", "Bearer"}, {"scope", "read write"}});
    }

    static nlohmann::ordered_json envelope(bool has_next, const char* name, nlohmann::ordered_json list)
    {
        nlohmann::ordered_json out;
        out["meta"] = {{"page", 1}, {"has_next", has_next}, {"has_previous", false}};
        out[name] = std::move(list);
        return out;
    }
    static http::response answer(const nlohmann::ordered_json& j)
    {
        return http::response::text(200, j.dump(), "application/json");
    }

    http::response course(http::request&)
    {
        nlohmann::ordered_json c;
        c["id"] = course_id;
        c["title"] = "Sample";
        c["sections"] = nlohmann::ordered_json::array();
        for (const auto& m : modules)
            c["sections"].push_back(m.id);
        c["actions"] = {{"view_grade_book", {{"enabled", can_view_grades}, {"needs_permission", "assist"}}}};
        c["learners_count"] = learners_count.value_or(static_cast<int>(students.size()));
        c["learners_group"] = has_learners_group ? nlohmann::ordered_json(12) : nlohmann::ordered_json();
        c["update_date"] = update_date;
        return answer(envelope(false, "courses", nlohmann::ordered_json::array({c})));
    }

    http::response grades(http::request& r)
    {
        if (!can_view_grades)
            return status(403, "You do not have permission to perform this action.");
        const auto user = r.query.get("user");
        const bool no_teachers = r.query.get("is_teacher") == "false";
        std::vector<const student*> rows;
        for (const auto& s : students)
            if ((!user || std::to_string(s.id) == *user) &&
                !(no_teachers && s.is_teacher && honours_is_teacher))
                rows.push_back(&s);
        const std::size_t page = std::stoul(r.query.get("page").value_or("1"));
        const std::size_t first = (page - 1) * page_size;
        if (page > 1 && first >= rows.size())
            return status(404, "Invalid page.");
        auto list = nlohmann::ordered_json::array();
        for (std::size_t i = first; i < std::min(rows.size(), first + page_size); ++i) {
            const student& s = *rows[i];
            nlohmann::ordered_json row;
            row["id"] = 33'000'000 + s.id;
            row["course"] = course_id;
            row["user"] = s.id;
            row["results"] = s.results;
            row["score"] = 1.0;
            row["rank"] = nullptr;
            row["is_teacher"] = s.is_teacher;
            row["date_joined"] = "2025-07-01T09:00:00Z";
            row["last_viewed"] =
                s.last_viewed.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(s.last_viewed);
            list.push_back(std::move(row));
        }
        return answer(envelope(rows.size() > first + page_size, "course-grades", std::move(list)));
    }

    template <class F>
    http::response by_ids(http::request& r, const char* name, F each)
    {
        const auto ids = r.query.get_all("ids[]");
        if (ids.size() > 100)
            return status(414, "too many ids");
        auto list = nlohmann::ordered_json::array();
        for (const auto& id : ids)
            each(std::stoll(id), list);
        return answer(envelope(false, name, std::move(list)));
    }

    http::response sections(http::request& r)
    {
        return by_ids(r, "sections", [this](std::int64_t id, nlohmann::ordered_json& list) {
            int position = 0;
            for (const auto& m : modules) {
                ++position;
                if (m.id != id)
                    continue;
                auto units = nlohmann::ordered_json::array();
                for (const auto& l : m.lessons)
                    units.push_back(unit_of(l.id));
                list.push_back({{"id", id}, {"course", course_id}, {"units", units}, {"position", position},
                    {"title", "Module " + std::to_string(id)}});
            }
        });
    }

    http::response units(http::request& r)
    {
        return by_ids(r, "units", [this](std::int64_t id, nlohmann::ordered_json& list) {
            for (const auto& m : modules) {
                int position = 0;
                for (const auto& l : m.lessons) {
                    ++position;
                    if (unit_of(l.id) == id)
                        list.push_back(
                            {{"id", id}, {"section", m.id}, {"lesson", l.id}, {"position", position}});
                }
            }
        });
    }

    http::response lessons(http::request& r)
    {
        return by_ids(r, "lessons", [this](std::int64_t id, nlohmann::ordered_json& list) {
            for (const auto& m : modules)
                for (const auto& l : m.lessons) {
                    if (l.id != id)
                        continue;
                    auto steps_list = nlohmann::ordered_json::array();
                    if (!l.hidden)
                        for (const auto& s : l.steps)
                            steps_list.push_back(s.id);
                    list.push_back({{"id", id}, {"steps", steps_list}, {"is_blank", false},
                        {"title", "Lesson " + std::to_string(id)}});
                }
        });
    }

    http::response steps(http::request& r)
    {
        for (const auto& id : r.query.get_all("ids[]"))
            if (std::stoll(id) == broken_step)
                return http::response::html(500, "<h1>Server Error (500)</h1>");
        return by_ids(r, "steps", [this](std::int64_t id, nlohmann::ordered_json& list) {
            for (const auto& m : modules)
                for (const auto& l : m.lessons) {
                    int position = 0;
                    for (const auto& s : l.steps) {
                        ++position;
                        if (s.id == id)
                            list.push_back(
                                {{"id", id}, {"lesson", l.id}, {"position", position}, {"status", "ready"},
                                    {"block", {{"name", s.block}, {"text", "<p>…</p>"},
                                                  {"options", nlohmann::json::object()}}}});
                    }
                }
        });
    }

    static std::int64_t unit_of(std::int64_t lesson_id) { return 1'000'000 + lesson_id; }

    http::server server_;
    std::map<std::string, bool> tokens_;
    int last_token_ = 0;

public:
    bool honours_is_teacher = true; // false: teachers stand in the pages although they were not asked for
    std::int64_t broken_step = 0;   // asking for it is a 500, whatever else was asked for
};

} // namespace coursegate::stepik_sync
