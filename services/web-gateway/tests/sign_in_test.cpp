#include "domain/form.hpp"
#include "domain/refused.hpp"
#include "domain/role.hpp"
#include "domain/sign_in.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace std::chrono_literals;

namespace {

const base::time_point noon = *base::parse_iso8601("2026-01-02T12:00:00Z");

// "invalid_value next"
template <class F>
std::string refusal_of(F f)
{
    try {
        f();
    }
    catch (const refused& no) {
        CHECK_FALSE(no.message().empty());
        CHECK(no.message().find("hush") == std::string::npos);
        return no.slug() + " " + no.field();
    }
    return "(accepted)";
}

} // namespace

TEST_CASE("a try is allowed until the limit of its account or its address is reached")
{
    failures f;
    f.of_account = 9;
    f.of_address = 49;
    f.account_blocked_by = noon;
    f.address_blocked_by = noon;
    CHECK_FALSE(must_wait(f, noon));
    f.of_account = 10;
    CHECK(must_wait(f, noon + 10min) == 50min);
    f.of_account = 9;
    f.of_address = 50;
    CHECK(must_wait(f, noon + 59min) == 1min);
}

TEST_CASE("who reached both limits waits for the longer one, whole seconds, and never none")
{
    failures f;
    f.of_account = 10;
    f.of_address = 50;
    f.account_blocked_by = noon;
    f.address_blocked_by = noon + 5min;
    CHECK(must_wait(f, noon + 10min) == 55min);
    CHECK(must_wait(f, noon + 10min + 1us) == 55min);
    CHECK(must_wait(f, noon + 2h) == 1s);
}

TEST_CASE("a session's use is written down at most once an hour")
{
    CHECK_FALSE(is_worth_noting(noon, noon));
    CHECK_FALSE(is_worth_noting(noon, noon + 1h - 1us));
    CHECK(is_worth_noting(noon, noon + 1h));
    CHECK_FALSE(is_worth_noting(noon, noon - 5min)); // another machine's clock
}

TEST_CASE("a token is 64 hexadecimal digits and nothing else")
{
    CHECK(is_token(std::string(64, 'a')));
    CHECK_FALSE(is_token(""));
    CHECK_FALSE(is_token(std::string(63, 'a')));
    CHECK_FALSE(is_token(std::string(65, 'a')));
    CHECK_FALSE(is_token(std::string(64, 'A')));
    CHECK_FALSE(is_token(std::string(63, 'a') + "'"));
}

TEST_CASE("a sign-in leads to a path of this site")
{
    for (const auto* next : {"/", "/dashboard", "/lessons/5?part=2&x=%D0%9F#top", "/a/../b",
             "/lessons/5?u=http://x.org/", "/login?next=%2Fa"})
        CHECK(safe_next(next) == next);
}

TEST_CASE("a sign-in never leads to another site")
{
    const auto next = GENERATE(as<std::string>{}, "", "dashboard", "//evil.org", "///evil.org", "/\\evil.org",
        "\\\\evil.org", "/a\\b", "/a//evil.org", "https://evil.org", "https:/evil.org", "javascript:alert(1)",
        "data:text/html,x", "/\t/evil.org", "/\n/evil.org", "\t//evil.org", " /dashboard", "/a b", "/a\x7F",
        "/caf\xC3\xA9", "?next=/", "#/", "@evil.org", std::string("/a\0b", 4), "/" + std::string(1000, 'a'));
    CHECK(safe_next(next) == "/dashboard");
}

TEST_CASE("a cookie is found among others")
{
    CHECK(cookie_of("__Host-session=abc", session_cookie) == "abc");
    CHECK(cookie_of("lang=ru; __Host-session=abc; x=y", session_cookie) == "abc");
    CHECK(cookie_of(" __Host-session = abc ;", session_cookie) == "abc");
    CHECK(cookie_of("__Host-session=a=b", session_cookie) == "a=b");
    CHECK(cookie_of("__Host-session=", session_cookie) == "");
    for (const auto* header : {"", ";", "__Host-session", "session=abc", "x__Host-session=abc",
             "__host-session=abc", "lang=__Host-session=abc", "__Host-session=abc; __Host-session=abd"})
    {
        INFO(header);
        CHECK_FALSE(cookie_of(header, session_cookie));
    }
}

TEST_CASE("cookies are for HTTP, this host, https and no other site's forms")
{
    CHECK(set_cookie(session_cookie, "abc", session_lasts) ==
          "__Host-session=abc; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax");
    CHECK(
        clear_cookie(session_cookie) == "__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax");
}

TEST_CASE("a browser's name is cut and can't break a line")
{
    CHECK(shortened_user_agent("Mozilla/5.0 (X11)") == "Mozilla/5.0 (X11)");
    CHECK(shortened_user_agent("a\r\nb\x01\xFFz") == "a??b??z");
    CHECK(shortened_user_agent(std::string(5000, 'x')).size() == 200);
}

TEST_CASE("a form's fields are decoded and asked for by name")
{
    auto f = form::parse("email=anna%40example.org&code=123+456%2B789&&next=%D0%9F");
    CHECK(f.text("email") == "anna@example.org");
    CHECK(f.text("code") == "123 456+789");
    CHECK(f.text_or("next", "/") == "П");
    CHECK(f.text_or("other", "/") == "/");
    f.finish();
    CHECK(refusal_of([&] { f.text("csrf"); }) == "missing_field csrf");
    auto empty = form::parse("");
    empty.finish();
    auto flag = form::parse("all");
    CHECK(flag.text("all").empty());
}

TEST_CASE("a form that no browser sends is refused, and what is in it is not repeated")
{
    for (const auto* body : {"a=%", "a=%4", "a=%zz", "a=hush%", "%=1", "a=%FF", "a=%00", "a=%ED%A0%80"}) {
        INFO(body);
        CHECK(refusal_of([&] { form::parse(body); }) == "invalid_value ");
    }
    CHECK(refusal_of([] { form::parse("a=hush&b=2&a=hush"); }) == "invalid_value a");
    CHECK(refusal_of([] { form::parse("a=1&%61=1"); }) == "invalid_value a");
    CHECK(
        refusal_of([] { form::parse("a=" + std::string(form::of_anybody.bytes, 'x')); }) == "invalid_value ");
    CHECK(
        refusal_of([] { form::parse("a=" + std::string(form::of_anybody.bytes - 2, 'x')); }) == "(accepted)");
    std::string many;
    for (int i = 0; i < 65; ++i)
        many += "f" + std::to_string(i) + "=&";
    CHECK(refusal_of([&] { form::parse(many); }) == "invalid_value ");
    auto f = form::parse("email=x&emial=hush");
    f.text("email");
    CHECK(refusal_of([&] { f.finish(); }) == "unknown_field emial");
}

TEST_CASE("only one content type is a form")
{
    CHECK(is_form_type("application/x-www-form-urlencoded"));
    CHECK(is_form_type("Application/X-WWW-Form-Urlencoded; charset=UTF-8"));
    for (const auto* type : {"", "text/plain", "application/json", "multipart/form-data; boundary=x",
             "application/x-www-form-urlencoded2", "application/x-www-form-urlencoded; charset=koi8-r"})
        CHECK_FALSE(is_form_type(type));
}

TEST_CASE("a role is one of four, and an author's has a course")
{
    CHECK(checked_role("admin", {}).role == "admin");
    CHECK(checked_role("author", 5).course_id == 5);
    CHECK(refusal_of([] { checked_role("author", {}); }) == "missing_field course_id");
    CHECK(refusal_of([] { checked_role("author", 0); }) == "invalid_value course_id");
    CHECK(refusal_of([] { checked_role("admin", 5); }) == "invalid_value course_id");
    for (const auto* name : {"student", "", "Admin", "root"})
        CHECK(refusal_of([&] { checked_role(name, {}); }) == "invalid_value role");
}
