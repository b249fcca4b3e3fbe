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
