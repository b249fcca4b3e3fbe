// Every route, as everybody who is not meant: nothing of Anna's or of her author's is shown, nothing of it
// changes. The table of routes is the real one; a route that is not told of here fails the test. Each request
// is then sent by the one who may, and works: so none was refused for the wrong reason.
#include "classroom.hpp"

#include "pages/pages.hpp"
#include "routes.hpp"

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

namespace {

enum class whose
{
    annas,    // of one student
    course_5, // of the course's authors and of staff
    staffs,   // of those who see every course
    his_own,  // speaks of nobody but the one who asks
    open,     // the same for everybody
};

struct attempt
{
    std::string target;
    whose object = whose::open;
    fields form{}; // of a POST, besides csrf
};

// By the admin token; below /v1/me it is the session that counts.
bool is_for_tools(const std::string& route)
{
    return route.find(" /v1/") != std::string::npos && route.find(" /v1/me/") == std::string::npos;
}

struct school : classroom
{
    std::string boris = member("boris@example.net", "222222222");
    std::string clara = member("clara@example.net", "333333333");
    std::string dora = member("dora@example.net", "444444444");
    std::string emil = member("emil@example.net", "555555555");

    school()
    {
        g.add_course(6);
        give(clara, R"({"role": "author", "course_id": 6})");
        give(dora, R"({"role": "support"})");
        give(emil, R"({"role": "admin"})");
        g.sql("UPDATE accounts.users SET last_name = 'Geheimnis' WHERE id = '" + anna +
              "'; UPDATE catalog.courses SET title = 'Geheimkurs' WHERE course_id = 5");
        grant(504, "failed");
        g.sql("UPDATE fixture.v_grants SET provider_reason = 'geheimer Grund', changed_at = now() WHERE "
              "state = 'failed'");
        sign_in();
    }

    std::string member(const std::string& email, const std::string& code)
    {
        const auto made = g.call("POST", "/v1/users",
            R"({"email": ")" + email + R"(", "boom_code": ")" + code + R"(", "locale": "en"})");
        REQUIRE(made.status == 201);
        return made.at("/id");
    }

    void give(const std::string& user, const std::string& role)
    {
        REQUIRE(g.call("PUT", "/v1/users/" + user + "/roles", role).status == 200);
    }

    browser signed_in(const std::string& email, const std::string& code)
    {
        browser out(g);
        REQUIRE(out.sign_in(email, code).status == 303);
        return out;
    }

    static bool tells(const seen_page& page)
    {
        for (const auto* secret : {"anna@example.org", "Geheimnis", "Geheimkurs", "geheimer Grund"})
            if (page.says(secret))
                return true;
        return false;
    }

    static std::string once() { return base::to_string(base::new_uuid()); }

    // By method and pattern.
    std::map<std::string, attempt> attempts()
    {
        const auto session = g.one("SELECT session_id FROM accounts.sessions WHERE user_id = '" + anna + "'");
        const std::string reason = "because";
        return {
            {"GET /", {"/"}},
            {"GET /healthz", {"/healthz"}},
            {"GET /assets/{file}", {"/assets/none.css"}},
            {"POST /language", {"/language", whose::open, {{"lang", "en"}}}},
            {"GET /dashboard", {"/dashboard", whose::his_own}},
            {"GET /dashboard/courses", {"/dashboard/courses", whose::his_own}},
            {"POST /dashboard/check", {"/dashboard/check", whose::annas, {{"course", "5"}}}},
            {"GET /me", {"/me", whose::his_own}},
            {"GET /v1/me/dashboard", {"/v1/me/dashboard", whose::his_own}},
            {"GET /lessons/{id}", {"/lessons/501?course=5", whose::annas}},
            {"POST /lessons/{id}/watch",
                {"/lessons/501/watch", whose::annas, {{"course", "5"}, {"part", "1"}}}},
            {"GET /profile", {"/profile", whose::his_own}},
            {"POST /profile",
                {"/profile", whose::his_own,
                    {{"first_name", "X"}, {"last_name", ""}, {"language", "en"}, {"time_zone", "UTC"}}}},
            {"POST /profile/notices", {"/profile/notices", whose::his_own,
                                          {{"by_email", "on"}, {"quiet_from", ""}, {"quiet_to", ""}}}},
            {"GET /profile/data", {"/profile/data", whose::his_own}},
            {"POST /profile/delete", {"/profile/delete", whose::annas, {{"email", "anna@example.org"}}}},
            {"POST /profile/sessions/end", {"/profile/sessions/end", whose::annas, {{"session", session}}}},
            {"GET /profile/identities", {"/profile/identities", whose::his_own}},
            {"GET /login", {"/login"}},
            {"GET /admin", {"/admin", whose::staffs}},
            {"GET /admin/grants", {"/admin/grants?course=5", whose::course_5}},
            {"GET /admin/numbers", {"/admin/numbers?course=5", whose::course_5}},
            {"GET /admin/numbers/csv", {"/admin/numbers/csv?course=5&table=lessons", whose::course_5}},
            {"GET /admin/numbers/students",
                {"/admin/numbers/students?course=5&show=enrolled", whose::course_5}},
            {"GET /admin/numbers/students/csv",
                {"/admin/numbers/students/csv?course=5&show=enrolled", whose::course_5}},
            {"GET /admin/audit-log", {"/admin/audit-log", whose::course_5}},
            {"GET /admin/audit-log/csv", {"/admin/audit-log/csv", whose::course_5}},
            {"GET /admin/students", {"/admin/students?q=anna", whose::course_5}},
            {"POST /admin/students",
                {"/admin/students", whose::staffs,
                    {{"once", once()}, {"email", "new@example.net"}, {"first_name", ""}, {"last_name", ""},
                        {"stepik_user_id", ""}, {"boom_code", "888888888"}, {"locale", "en"}}}},
            {"GET /admin/students/{id}", {"/admin/students/" + anna, whose::course_5}},
            {"POST /admin/students/{id}/lessons", {"/admin/students/" + anna + "/lessons", whose::course_5,
                                                      {{"once", once()}, {"course", "5"}, {"what", "open"},
                                                          {"all", "on"}, {"reason", reason}}}},
            {"POST /admin/students/{id}/code", {"/admin/students/" + boris + "/code", whose::course_5,
                                                   {{"once", once()}, {"reason", reason}}}},
            {"POST /admin/students/{id}/account",
                {"/admin/students/" + boris + "/account", whose::course_5,
                    {{"email", "other@example.net"}, {"first_name", ""}, {"last_name", ""},
                        {"stepik_user_id", "77"}, {"reason", reason}}}},
            {"POST /admin/students/{id}/site", {"/admin/students/" + anna + "/site", whose::course_5, {}}},
            {"GET /admin/trouble", {"/admin/trouble", whose::course_5}},
            {"GET /admin/trouble/failures",
                {"/admin/trouble/failures?course=5&for=person&reason=geheimer%20Grund", whose::course_5}},
            {"POST /admin/trouble/failures",
                {"/admin/trouble/failures", whose::course_5,
                    {{"course", "5"}, {"for", "person"}, {"cause", "geheimer Grund"}, {"reason", reason}}}},
            {"POST /admin/trouble/audits", {"/admin/trouble/audits", whose::course_5,
                                               {{"course", "5"}, {"what", "look"}, {"reason", reason}}}},
            {"GET /admin/courses", {"/admin/courses", whose::course_5}},
            {"GET /admin/courses/connect", {"/admin/courses/connect?course=5", whose::course_5}},
            {"POST /admin/courses/connect",
                {"/admin/courses/connect", whose::course_5,
                    {{"course", "5"}, {"client_id", "client"}, {"client_secret", ""}, {"api_key", ""},
                        {"subscription", ""}, {"sure", "on"}}}},
            {"GET /admin/courses/{course_id}", {"/admin/courses/5", whose::course_5}},
            {"POST /admin/courses/{course_id}",
                {"/admin/courses/5", whose::course_5,
                    {{"title", "Geheimkurs"}, {"sweep_seconds", "60"}, {"access_until", ""}}}},
            {"GET /admin/courses/{course_id}/media", {"/admin/courses/5/media", whose::course_5}},
            {"POST /admin/courses/{course_id}/media",
                {"/admin/courses/5/media", whose::course_5, {{"step", "look"}, {"table", ""}}}},
            {"POST /admin/courses/{course_id}/media/codes",
                {"/admin/courses/5/media/codes", whose::course_5}},
            {"GET /admin/courses/{course_id}/rules", {"/admin/courses/5/rules", whose::course_5}},
            {"POST /admin/courses/{course_id}/rules",
                {"/admin/courses/5/rules", whose::course_5,
                    {{"step", "save"}, {"place", "course"}, {"rule", "always"}, {"days", ""}}}},
        };
    }

    // Tested with what they need, each in a test of its own: ways in and out, streams, one-time links, the
    // broker.
    static bool is_told_elsewhere(const std::string& route)
    {
        static const std::set<std::string> list{"POST /login", "POST /logout",
            "POST /profile/sessions/end-all", "GET /dashboard/moves", "GET /play/{secret_id}",
            "GET /admin/grants/stream", "GET /login/link", "POST /login/link", "GET /login/google",
            "GET /login/google/callback", "GET /login/telegram", "GET /login/telegram/callback",
            "GET /login/stepik", "GET /login/stepik/callback", "POST /profile/identities/{way}/link",
            "POST /profile/identities/{way}/unlink", "GET /admin/trouble/parked/{queue}",
            "POST /admin/trouble/parked/{queue}"};
        return list.contains(route) || is_for_tools(route) ||
               route.find(" /app") != std::string::npos; // the Mini App has tokens of its own: app_pgtest
    }
};

seen_page send(browser& b, const std::string& route, const attempt& a, const std::string& csrf)
{
    if (route.starts_with("GET "))
        return b.get(a.target);
    auto form = a.form;
    form.insert(form.begin(), {"csrf", csrf});
    return b.post(a.target, form);
}

std::vector<std::string> all_routes(running_gateway& g)
{
    const pages site;
    gateway wiring{g.db(), g.keys(), g.feed(), site, base::secret(token)};
    std::vector<std::string> out;
    for (const auto& r : routes(wiring))
        out.push_back(r.method + " " + r.pattern);
    return out;
}

} // namespace

TEST_CASE("no route shows or changes what is not one's own")
{
    school s;
    const auto attempts = s.attempts();
    browser stranger(s.g);
    auto boris = s.signed_in("boris@example.net", "222222222");
    auto clara = s.signed_in("clara@example.net", "333333333");
    auto dora = s.signed_in("dora@example.net", "444444444");
    auto emil = s.signed_in("emil@example.net", "555555555");
    const auto boris_csrf = boris.csrf();
    const auto clara_csrf = clara.csrf();
    const auto dora_csrf = dora.csrf();

    for (const auto& route : all_routes(s.g)) {
        INFO(route);
        if (is_for_tools(route)) {
            const auto method = route.substr(0, route.find(' '));
            auto target = route.substr(method.size() + 1);
            for (auto at = target.find('{'); at != target.npos; at = target.find('{'))
                target.replace(at, target.find('}') - at + 1, "5");
            CHECK(stranger.send(method, target, "{}").status == 401);
            CHECK(emil.send(method, target, "{}").status == 401); // a session is no token
            continue;
        }
        if (school::is_told_elsewhere(route))
            continue;
        const auto found = attempts.find(route);
        if (found == attempts.end())
            FAIL("nobody says who may use " + route);
        const auto& a = found->second;
        if (a.object == whose::open)
            continue;
        const auto before = s.g.everything();
        const auto refused = [&](browser& b, const std::string& csrf) {
            const auto page = send(b, route, a, csrf);
            INFO(page.status << " " << page.text.substr(0, 300));
            CHECK(page.status < 500);
            CHECK_FALSE(school::tells(page));
            if (a.object != whose::his_own)
                CHECK(s.g.everything() == before);
            return page.status;
        };
        CHECK(refused(stranger, "x") != 200);
        if (a.object == whose::his_own)
            continue; // others see themselves there, in the tests of each page
        refused(boris, boris_csrf);
        if (a.object == whose::annas)
            refused(clara, clara_csrf);
        if (a.object == whose::staffs)
            continue; // an author is staff; support, below, is refused where something changes
        if (a.object == whose::course_5)
            refused(clara, clara_csrf); // may come in, and sees her own course there
        // Support looks and changes nothing. To see the site as a student is a look, which is written down.
        if (route.starts_with("POST ") && route != "POST /admin/students/{id}/site")
            refused(dora, dora_csrf);
    }
}

TEST_CASE("what everybody else was refused works for the one who may")
{
    school s;
    auto emil = s.signed_in("emil@example.net", "555555555");
    const auto emil_csrf = emil.csrf();
    const auto anna_csrf = s.b.csrf();
    const auto attempts = s.attempts();
    for (const auto& [route, a] : attempts) {
        // The account goes last, with it its session.
        if (a.object == whose::open || route == "POST /profile/delete" ||
            route == "POST /profile/sessions/end")
            continue;
        INFO(route);
        const bool hers = a.object == whose::annas || a.object == whose::his_own;
        const auto page = send(hers ? s.b : emil, route, a, hers ? anna_csrf : emil_csrf);
        INFO(page.text.substr(0, 300));
        CHECK(page.status < 400);
        CHECK((page.status != 302 || page.header("Location").find("/login") == std::string::npos));
    }
    CHECK(send(s.b, "POST", attempts.at("POST /profile/delete"), anna_csrf).status == 200);
}
