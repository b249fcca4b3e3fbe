#include "config.hpp"

#include "coursegate/base/encoding.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::web_gateway;

namespace {

using settings = std::vector<std::pair<std::string, std::string>>;

settings good()
{
    return {{"DATABASE_URL", "postgresql://gateway:pw-of-db@localhost/coursegate"},
        {"AMQP_URL", "amqp://gateway:pw-of-broker@localhost"},
        {"SECRET_KEY", base::to_base64(std::string(32, 'k'))}, {"ADMIN_API_TOKEN", "0123456789abcdef"}};
}

settings with(settings s, const settings& more)
{
    s.insert(s.end(), more.begin(), more.end());
    return s;
}

std::string faults_of(const settings& s)
{
    runtime::environment env(s);
    read_config(env);
    try {
        env.finish();
    }
    catch (const base::bad_configuration& e) {
        return e.what();
    }
    return "";
}

bool has(const std::string& text, const char* part)
{
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("the settings that must be there are enough")
{
    CHECK(faults_of(good()).empty());
    runtime::environment env(good());
    const auto cfg = read_config(env);
    CHECK(cfg.port == 8080);
    CHECK(cfg.host == "127.0.0.1");
    CHECK_FALSE(cfg.environment_course);
    CHECK(cfg.play_url == "https://play.boomstream.com");
}

TEST_CASE("every missing setting is named at once")
{
    const auto faults = faults_of({});
    for (const auto* name : {"DATABASE_URL", "AMQP_URL", "SECRET_KEY", "ADMIN_API_TOKEN"})
        CHECK(has(faults, name));
}

TEST_CASE("a course may be given by the environment alone")
{
    const auto s =
        with(good(), {{"STEPIK_COURSE_ID", "247644"}, {"STEPIK_CLIENT_ID", "id"},
                         {"STEPIK_CLIENT_SECRET", "stepik-secret"}, {"BOOMSTREAM_API_KEY", "boom-key"},
                         {"BOOMSTREAM_SUBSCRIPTION", "SBXGROUP"}});
    CHECK(faults_of(s).empty());
    runtime::environment env(s);
    const auto cfg = read_config(env);
    REQUIRE(cfg.environment_course);
    CHECK(cfg.environment_course->id == 247644);
    CHECK(cfg.environment_course->stepik_client_secret == base::secret("stepik-secret"));
    CHECK(**cfg.environment_course->default_subscription == "SBXGROUP");
}

TEST_CASE("half a course is refused, and no secret is repeated")
{
    CHECK(has(faults_of(with(good(), {{"STEPIK_CLIENT_SECRET", "stepik-secret"}})), "STEPIK_COURSE_ID"));
    const auto faults =
        faults_of(with(good(), {{"STEPIK_COURSE_ID", "247644"}, {"BOOMSTREAM_API_KEY", "boom key"},
                                   {"BOOMSTREAM_SUBSCRIPTION", "a b"}}));
    for (const auto* name :
        {"STEPIK_CLIENT_ID", "STEPIK_CLIENT_SECRET", "BOOMSTREAM_API_KEY", "BOOMSTREAM_SUBSCRIPTION"})
        CHECK(has(faults, name));
    CHECK_FALSE(has(faults, "boom key"));
}

TEST_CASE("proxies are addresses, and a name is refused")
{
    const auto proxies = [](const char* setting) {
        runtime::environment env(with(good(), {{"TRUSTED_PROXIES", setting}}));
        return read_config(env).trusted_proxies;
    };
    CHECK(proxies("").empty());
    CHECK(proxies("10.0.0.2") == std::vector<std::string>{"10.0.0.2"});
    CHECK(proxies(" 10.0.0.2 , 2001:DB8:0::1 ") == std::vector<std::string>{"10.0.0.2", "2001:db8::1"});
    CHECK(faults_of(with(good(), {{"TRUSTED_PROXIES", "10.0.0.2"}})).empty());
    for (const auto* wrong : {"proxy.example", "10.0.0.2,", ",", "10.0.0.0/8", "10.0.0.2 10.0.0.3"})
        CHECK(has(faults_of(with(good(), {{"TRUSTED_PROXIES", wrong}})), "TRUSTED_PROXIES"));
}

TEST_CASE("a token that can be guessed is refused")
{
    auto s = good();
    s.back().second = "secret";
    CHECK(has(faults_of(s), "ADMIN_API_TOKEN"));
}

TEST_CASE("a way to sign in is on when its settings are there, and half of one is refused")
{
    {
        runtime::environment env(good());
        const auto ways = read_config(env).ways;
        CHECK_FALSE(ways.google);
        CHECK_FALSE(ways.telegram);
        CHECK_FALSE(ways.stepik);
        CHECK(ways.telegram_bot_token.empty());
        CHECK(ways.telegram_web_url == "https://web.telegram.org");
    }
    for (const auto* name : {"@coursegate_bot", "bot", "course gate", "a_name_that_is_longer_than_32_chars"})
        CHECK(has(faults_of(with(good(), {{"TELEGRAM_BOT_USERNAME", name}})), "TELEGRAM_BOT_USERNAME"));
    CHECK(faults_of(with(good(), {{"TELEGRAM_BOT_USERNAME", "coursegate_bot"}})).empty());
    const auto s = with(
        good(), {{"APP_URL", "https://watch.example.org/"}, {"GOOGLE_CLIENT_ID", "google"},
                    {"GOOGLE_CLIENT_SECRET", "google-secret"}, {"TELEGRAM_LOGIN_CLIENT_ID", "123456"},
                    {"TELEGRAM_LOGIN_CLIENT_SECRET", "telegram-secret"},
                    {"TELEGRAM_LOGIN_ISSUER", "http://127.0.0.1:9"}, {"STEPIK_LOGIN_CLIENT_ID", "stepik"},
                    {"STEPIK_LOGIN_CLIENT_SECRET", "stepik-secret"}});
    CHECK(faults_of(s).empty());
    runtime::environment env(s);
    const auto ways = read_config(env).ways;
    CHECK(ways.site == "https://watch.example.org");
    REQUIRE(ways.google);
    CHECK(ways.google->issuer == "https://accounts.google.com");
    CHECK(ways.google->scope == "openid email profile");
    CHECK_FALSE(ways.google->secret_in_header);
    REQUIRE(ways.telegram);
    CHECK(ways.telegram->issuer == "http://127.0.0.1:9");
    CHECK(ways.telegram->secret_in_header);
    REQUIRE(ways.stepik);
    CHECK(ways.stepik->url == "https://stepik.org");

    for (const auto* name : {"GOOGLE", "TELEGRAM_LOGIN", "STEPIK_LOGIN"}) {
        const settings site{{"APP_URL", "https://watch.example.org"}};
        const std::string id = std::string(name) + "_CLIENT_ID";
        const std::string secret = std::string(name) + "_CLIENT_SECRET";
        CHECK(has(faults_of(with(with(good(), site), {{id, "x"}})), secret.c_str()));
        const auto half = faults_of(with(with(good(), site), {{secret, "hush-hush"}}));
        CHECK(has(half, id.c_str()));
        CHECK_FALSE(has(half, "hush-hush"));
        CHECK(has(faults_of(with(good(), {{id, "x"}, {secret, "hush-hush"}})), "APP_URL"));
    }
}
