// Secrets never reach the log: each of a set of awkward secrets through each path a careless caller may send
// it.
#include "captured.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/base/error.hpp"

#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <thread>
#include <type_traits>

using namespace coursegate;
using log::captured;

namespace {

// Not a field's value: the compiler refuses what a reviewer might miss.
static_assert(!std::is_constructible_v<log::value, base::secret>);
static_assert(!std::is_constructible_v<log::value, const base::secret&>);
static_assert(!fmt::is_formattable<base::secret>::value);

std::string json_text(const std::string& s)
{
    return nlohmann::json(s).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

const std::vector<std::string>& secrets()
{
    static const std::vector<std::string> all = [] {
        std::vector<std::string> out{
            "s3cr3t-t0ken-value",
            "with \"quotes\" and \\backslashes\\",
            "line\nbreak\tand\rcontrols\x01\x1f",
            "p@ss/w:rd+%20?&=#",
            "https://user:hunter2pass@host/",
            "паrоль-ünïcode-日本",
            "abcd",
            "Zm9vYmFyYmF6cXV4",
            "012345678",
            std::string("nul\0inside-secret", 17),
            "\xff\xfe not utf-8 \x80",
            "aaaaaaaa",
            "ends with backslash\\",
            "\\starts with backslash",
        };
        for (const auto& s : out)
            log::never_print(base::secret{s});
        return out;
    }();
    return all;
}

bool shows(const std::string& text, const std::string& secret)
{
    const auto json = json_text(secret);
    auto lower_percent = base::percent_encode(secret);
    for (std::size_t i = 0; i + 2 < lower_percent.size(); ++i) {
        if (lower_percent[i] == '%') {
            lower_percent[i + 1] = static_cast<char>(std::tolower(lower_percent[i + 1]));
            lower_percent[i + 2] = static_cast<char>(std::tolower(lower_percent[i + 2]));
        }
    }
    for (const auto& form : {secret, json.substr(1, json.size() - 2), base::percent_encode(secret),
             lower_percent, base::to_base64(secret), base::to_hex(secret)})
    {
        if (text.find(form) != std::string::npos)
            return true;
    }
    return false;
}

void check_clean(const std::string& secret)
{
    for (const auto& line : captured::all()) {
        INFO(line);
        REQUIRE_FALSE(shows(line, secret));
        REQUIRE(line.find('\n') == line.size() - 1);
        REQUIRE(nlohmann::json::accept(line));
        const auto parsed = nlohmann::json::parse(line);
        for (const auto& [name, value] : parsed.items()) {
            REQUIRE_FALSE(shows(name, secret));
            if (value.is_string())
                REQUIRE_FALSE(shows(value.get<std::string>(), secret));
        }
        if (line.find("cut at zero") == std::string::npos)
            REQUIRE(line.find("***") != std::string::npos);
    }
}

} // namespace

TEST_CASE("a secret never shows, whatever path it takes to the log")
{
    for (const auto& secret : secrets()) {
        const captured lines;
        INFO(secret);

        log::info(secret);
        log::info("before " + secret + " after");
        log::error("field", {{"value", secret}});
        log::error("field", {{"value", "x" + secret + secret + "y"}});
        log::info("name", {{"n-" + secret, 1}});
        log::logger{}.with({{"context", "Bearer " + secret}}).info("context");
        log::logger{}.with({{"a", 1}}).with({{secret, true}}).warning("name of a context field");

        // Exception texts, as handlers log them.
        const std::exception_ptr failures[] = {
            std::make_exception_ptr(std::runtime_error("connect to " + secret + " failed")),
            std::make_exception_ptr(base::bad_configuration("SECRET: " + secret)),
            std::make_exception_ptr(base::dependency_down("password \"" + secret + "\" refused")),
        };
        for (const auto& failure : failures) {
            try {
                std::rethrow_exception(failure);
            }
            catch (const std::exception& e) {
                // what() ends at a zero byte: nothing of such a secret is left to find.
                const bool cut = secret.find('\0') != std::string::npos;
                log::error(cut ? "cut at zero" : "failed", {{"error", e.what()}});
            }
        }

        // The forms in which other people's libraries quote it.
        log::info("json " + json_text(secret));
        log::info("request", {{"body", fmt::format(R"({{"apikey":{}}})", json_text(secret))}});
        log::info("url", {{"url", "https://host/path?key=" + base::percent_encode(secret) + "&x=1"}});
        log::info("base64", {{"header", base::to_base64(secret)}});
        log::info("hexadecimal", {{"dump", base::to_hex(secret)}});
        check_clean(secret);
    }
}

TEST_CASE("a secret inside a Basic credential does not show")
{
    secrets();
    const captured lines;
    for (const std::string user : {"", "u", "us", "use", "coursegate"}) {
        const auto header = base::to_base64(user + ":s3cr3t-t0ken-value");
        log::info("request", {{"authorization", "Basic " + header}});
        CHECK(lines.all().back().find(header) == std::string::npos);
        // What is left holds less than the secret.
        const auto left = lines.last()["authorization"].get<std::string>();
        CHECK(left.find("***") != std::string::npos);
        CHECK(left.size() < 6 + header.size() / 2 + 3);
    }
}

TEST_CASE("a secret that looks like a number does not show as one")
{
    secrets();
    log::never_print(base::secret{"741852963"});
    const captured lines;
    log::info("code", {{"code", 741852963}, {"inside", 7418529631234}, {"other", 12}});
    CHECK(lines.all()[0].find("741852963") == std::string::npos);
    CHECK(lines.last()["code"] == "***");
    CHECK(lines.last()["other"] == 12);
}

TEST_CASE("a logger made before its secret was known is clean all the same")
{
    const captured lines;
    const auto old = log::logger{}.with({{"token", "learnt-later-\"x\""}, {"id", 86420975}});
    log::never_print(base::secret{"learnt-later-\"x\""});
    old.info("after");
    CHECK(lines.all().back().find("learnt-later") == std::string::npos);
    CHECK(lines.last()["level"] == "info");
    log::never_print(base::secret{"86420975"});
    old.info("after");
    CHECK(lines.all().back().find("86420975") == std::string::npos);
    CHECK(nlohmann::json::accept(lines.all().back()));
}

TEST_CASE("short values are not registered, or every line would be stars")
{
    log::never_print(base::secret{"in"});
    log::never_print(base::secret{""});
    const captured lines;
    log::info("in the middle");
    CHECK(lines.last()["message"] == "in the middle");
}

TEST_CASE("secrets registered by several threads while others log are all kept")
{
    const captured lines;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([t] {
            for (int i = 0; i < 25; ++i) {
                const auto secret = fmt::format("thread-{}-key{:03}", t, i);
                log::never_print(base::secret{secret});
                log::info("using " + secret);
            }
        });
    }
    for (auto& t : threads)
        t.join();
    for (const auto& line : lines.all())
        CHECK(line.find("-key") == std::string::npos);
    CHECK(log::without_secrets("a thread-3-key024 b") == "a *** b");
}
