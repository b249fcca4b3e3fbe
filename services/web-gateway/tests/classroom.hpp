// Anna in course 5, for tests of the student's pages.
#pragma once

#include "browser.hpp"

#include <string>

namespace coursegate::web_gateway::tests {

// Anna in course 5: "Hello" is open, "Loops" on its way, "Theory" comes with it, "Tasks" is
// locked with one task of two to go.
struct classroom
{
    running_gateway g;
    std::string anna;
    browser b{g};

    explicit classroom(const std::string& language = "en")
    {
        g.add_course();
        const auto made = g.call("POST", "/v1/users",
            R"({"email": "anna@example.org", "first_name": "Anna", "boom_code": "123456789", "stepik_user_id": 900,
                "locale": ")" +
                language + "\"}");
        REQUIRE(made.status == 201);
        anna = made.at("/id");
        media(501, "AAAAAAAA");
        media(502, "BBBBBBBB");
        media(503, "CCCCCCCC");
        media(504, "DDDDDDDD");
        g.sql("INSERT INTO fixture.v_enrolments VALUES (5, 900, now() - interval '3 days', NULL, now() - "
              "interval "
              "'3 minutes', now() - interval '3 days', false);"
              "INSERT INTO fixture.v_lesson_state VALUES"
              " (5, 900, 501, true, 3, 3, '{}', now() - interval '90 s', now() - interval '60 s', now(), "
              "false),"
              " (5, 900, 502, true, 5, 5, '{}', now() - interval '40 s', now() - interval '20 s', now(), "
              "false),"
              " (5, 900, 504, false, 1, 2, '{7005}', NULL, NULL, NULL, false);"
              "INSERT INTO fixture.v_steps VALUES (5, 504, 7005, 4, true);"
              "INSERT INTO fixture.v_provider_health VALUES (5, true, NULL, now(), 'closed', 5, 0, 0);");
        grant(501, "confirmed",
            "(SELECT passed_after + interval '40 s' FROM fixture.v_lesson_state WHERE lesson_id = 501)");
        grant(502, "asked");
    }

    void media(int lesson, const std::string& code)
    {
        const auto put = g.call("PUT", "/v1/courses/5/lessons/" + std::to_string(lesson) + "/media",
            R"({"parts": [{"part": 1, "boom_media": ")" + code + R"(", "subscription_code": "S)" + code +
                "\"}]}");
        REQUIRE(put.status == 200);
    }

    void grant(int lesson, const std::string& state, const std::string& confirmed_at = "NULL")
    {
        const auto id = std::to_string(lesson);
        g.sql("DELETE FROM fixture.v_grants WHERE lesson_id = " + id +
              ";"
              "INSERT INTO fixture.v_grants (grant_id, user_id, course_id, lesson_id, subscription_code, "
              "state, "
              "cause, lane, attempts, confirmed_at)"
              " SELECT gen_random_uuid(), '" +
              anna + "', 5, " + id + ", subscription_code, '" + state + "', 'on_pass', 'fresh', 1, " +
              confirmed_at + " FROM catalog.lesson_media WHERE course_id = 5 AND lesson_id = " + id);
    }

    void sign_in() { REQUIRE(b.sign_in("anna@example.org", "123456789").status == 303); }

    seen_page dashboard()
    {
        auto page = b.get("/dashboard");
        INFO(page.text);
        REQUIRE(page.status == 200);
        return page;
    }
};

// The part of the page about one lesson.
inline std::string about(const seen_page& page, int lesson)
{
    const auto from = page.text.find("data-lesson=\"5-" + std::to_string(lesson) + "\"");
    INFO(page.text);
    REQUIRE(from != std::string::npos);
    return page.text.substr(from, page.text.find("</li>", from) - from);
}

inline bool has(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

} // namespace coursegate::web_gateway::tests
