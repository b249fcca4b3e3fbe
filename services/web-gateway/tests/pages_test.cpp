#include "pages/pages.hpp"

#include "handlers/site.hpp"

#include "coursegate/base/error.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace coursegate;
using namespace coursegate::web_gateway;

namespace {

const pages& site()
{
    static const pages one;
    return one;
}

reader in(const std::string& language)
{
    reader out;
    out.language = language;
    return out;
}

bool has(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

http::request asked(const std::string& header, const std::string& value)
{
    http::request out;
    out.headers.set(header, value);
    return out;
}

// Throws what the constructor throws.
std::string fault_without(const std::string& name, std::optional<std::string_view> instead = {})
{
    auto all = built_in_files();
    if (instead)
        all[name] = *instead;
    else
        all.erase(name);
    try {
        const pages broken(all);
    }
    catch (const base::bad_configuration& e) {
        return e.what();
    }
    return "(none)";
}

base::time_point at(const char* text)
{
    return base::parse_iso8601(text).value();
}

} // namespace

TEST_CASE("whatever is put into a page is escaped")
{
    nlohmann::json data;
    data["error"] = "<script>alert(1)</script>";
    data["email"] = "\"><script>alert(2)</script>";
    data["next"] = "/x' onfocus='alert(3)";
    auto anna = in("en");
    anna.name = "<b>Anna</b> & \"co\"";
    const auto page = site().show("login", data, anna);
    CHECK(page.status == 200);
    CHECK_FALSE(has(page.body, "<script>alert"));
    CHECK(has(page.body, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    CHECK(has(page.body, "value=\"&quot;&gt;&lt;script&gt;alert(2)"));
    CHECK(has(page.body, "/x&apos; onfocus=&apos;alert(3)"));
    CHECK(has(
        page.body, "<a class=\"who\" href=\"/profile\">&lt;b&gt;Anna&lt;/b&gt; &amp; &quot;co&quot;</a>"));
}

TEST_CASE("a page speaks the reader's language from its first line on")
{
    const auto ru = site().show("login", {}, in("ru"));
    CHECK(has(ru.body, "<html lang=\"ru\">"));
    CHECK(has(ru.body, "<title>Войти · Coursegate</title>"));
    CHECK(has(ru.body, "<h1>Войти</h1>"));
    CHECK(ru.headers.get("Content-Language") == "ru");
    CHECK(has(site().show("login", {}, in("uk")).body, "<h1>Увійти</h1>"));
    CHECK(has(site().show("login", {}, in("en")).body, "<h1>Sign in</h1>"));
    CHECK(has(site().show("login", {}, in("fr")).body, "<h1>Войти</h1>")); // not one of ours
    CHECK_FALSE(has(ru.body, "{{"));
}

TEST_CASE("pages of a person are never stored, those of strangers depend on cookie and language")
{
    CHECK(site().show("home", {}, in("en")).headers.get("Vary") == "Accept-Language, Cookie");
    auto anna = in("en");
    anna.name = "Anna";
    CHECK(site().show("home", {}, anna).headers.get("Cache-Control") == "no-store");
}

TEST_CASE("a form carries what protects it")
{
    auto anna = in("en");
    anna.name = "Anna";
    anna.csrf = "0123abcd";
    CHECK(
        has(site().show("home", {}, anna).body, "<input type=\"hidden\" name=\"csrf\" value=\"0123abcd\">"));
}

TEST_CASE("nothing in a page is inline, so the strict Content-Security-Policy holds")
{
    for (const auto& [name, content] : built_in_files()) {
        if (!name.ends_with(".html"))
            continue;
        INFO(name);
        for (const auto* what : {"<style", " style=", " onclick=", " onload=", "javascript:"})
            CHECK_FALSE(has(std::string(content), what));
        for (auto from = content.find("<script"); from != content.npos;
             from = content.find("<script", from + 1))
            CHECK(content.substr(from, content.find('>', from) - from).find(" src=") != content.npos);
    }
}

TEST_CASE("what the site lacks is named at start")
{
    CHECK(fault_without("moves.js") == "(none)"); // an asset is missed by the page that names it
    CHECK(has(fault_without("login.html"), "login.html is missing"));
    CHECK(has(fault_without("layout.html"), "layout.html is missing"));
    CHECK(has(fault_without("courses.part.html"), "page app_courses.part.html is missing"));
    CHECK(has(fault_without("uk.mo"), "uk.mo are missing"));
    CHECK(has(fault_without("uk.mo", "no catalogue at all"), "uk.mo can't be read"));
    CHECK(has(fault_without("home.html", "{{#t}}never ends"), "home.html is broken"));
    CHECK(has(fault_without("home.html", "{{#section}}"), "home.html is broken"));
    CHECK(has(fault_without("courses.part.html", "{{> courses}}"), "is broken"));
    CHECK_THROWS_AS(site().show("nowhere", {}, in("en")), std::logic_error);
}

TEST_CASE("an asset's name changes with its content, and it may be kept for ever")
{
    const auto path = site().asset("site.css");
    CHECK(path.starts_with("/assets/"));
    CHECK(path.ends_with(".site.css"));
    const auto name = path.substr(std::string("/assets/").size());
    const auto got = site().find_asset(name);
    REQUIRE(got);
    CHECK(got->headers.get("Content-Type") == "text/css; charset=utf-8");
    CHECK(got->headers.get("Cache-Control") == "public, max-age=31536000, immutable");
    CHECK_FALSE(site().find_asset("site.css"));
    CHECK(has(site().show("home", {}, in("en")).body, "href=\"" + path + "\""));

    auto other = built_in_files();
    other["site.css"] = "body{}";
    CHECK(pages(other).asset("site.css") != path);
}

TEST_CASE("a stranger's language is his choice, else his browser's, else Russian")
{
    CHECK(reader_of(asked("Accept-Language", "uk-UA,uk;q=0.9,en;q=0.8")).language == "uk");
    CHECK(reader_of(asked("Accept-Language", "de")).language == "ru");
    CHECK(reader_of(http::request()).language == "ru");
    auto both = asked("Accept-Language", "uk");
    both.headers.set("Cookie", "a=b; lang=en");
    CHECK(reader_of(both).language == "en");
    CHECK(reader_of(asked("Cookie", "lang=xx")).language == "ru");
    CHECK(reader_of(asked("Cookie", "slang=en; language=en")).language == "ru");
}

TEST_CASE("a form leads back to pages of this site only")
{
    CHECK(local_path("/login?next=%2Fdashboard") == "/login?next=%2Fdashboard");
    for (const auto* elsewhere : {"//evil.example", "https://evil.example", "/\\evil.example", "", "evil",
             "/a\r\nSet-Cookie: x=y", "/\tx"})
        CHECK(local_path(elsewhere) == "/");
}

TEST_CASE("what the server refuses is a page for browsers and stays JSON for tools")
{
    const auto worded = [](const std::string& path, const std::string& accept) {
        auto request = asked("Accept", accept);
        request.path = path;
        auto answer = http::response::error(405, "method_not_allowed", "No.");
        answer.headers.set("Allow", "GET");
        word_refusal(site(), request, answer);
        CHECK(answer.status == 405);
        CHECK(answer.headers.get("Allow") == "GET");
        return answer.headers.get("Content-Type").value_or("");
    };
    CHECK(worded("/nowhere", "text/html,*/*") == "text/html; charset=utf-8");
    CHECK(worded("/nowhere", "*/*") == "application/json; charset=utf-8");
    CHECK(worded("/v1/users", "text/html") == "application/json; charset=utf-8");
}

TEST_CASE("each refusal has its words, and only what is unknown is our fault")
{
    const auto says = [](int status) { return site().problem(status, in("en")); };
    CHECK(has(says(400).body, "This could not be understood"));
    CHECK(has(says(422).body, "This could not be understood"));
    CHECK(has(says(429).body, "Too many requests"));
    CHECK(says(429).status == 429);
    CHECK(has(says(418).body, "Something went wrong on our side"));
}

TEST_CASE("times are said in the reader's zone and words")
{
    auto kyiv = in("uk");
    kyiv.time_zone = "Europe/Kyiv";
    const auto now = at("2026-07-03T10:00:00Z");
    const auto moment = [&](const char* t) { return site().moment(at(t), now, kyiv); };
    CHECK(moment("2026-07-03T08:05:00Z") == "сьогодні о 11:05"); // summer time
    CHECK(moment("2026-07-02T20:59:59Z") == "учора о 23:59");
    CHECK(moment("2026-07-02T21:00:00Z") == "сьогодні о 00:00"); // the day begins at his midnight
    CHECK(moment("2026-01-05T08:05:00Z") == "5 січня о 10:05");
    CHECK(moment("2025-01-05T08:05:00Z") == "5 січня 2025 р. о 10:05");

    auto moscow = in("ru");
    moscow.time_zone = "Europe/Moscow";
    CHECK(site().day(at("2026-03-31T22:00:00Z"), moscow) == "1 апреля 2026 г.");
    CHECK(site().ago(now - std::chrono::seconds(3), now, moscow) == "только что");
    CHECK(site().ago(now - std::chrono::seconds(22), now, moscow) == "22 секунды назад");
    CHECK(site().ago(now - std::chrono::minutes(21), now, moscow) == "21 минуту назад");
    CHECK(site().ago(now - std::chrono::hours(2), now, moscow) == "сегодня в 11:00");

    // Whose zone is not known reads UTC, and that it is.
    CHECK(site().moment(at("2026-07-03T08:05:00Z"), now, in("en")) == "today at 08:05 UTC");
    auto nowhere = in("en");
    nowhere.time_zone = "Nowhere/Land";
    CHECK(site().moment(at("2026-07-03T08:05:00Z"), now, nowhere) == "today at 08:05 UTC");
    nowhere.time_zone = "../../../etc/passwd";
    CHECK(site().moment(at("2026-07-03T08:05:00Z"), now, nowhere) == "today at 08:05 UTC");
}
