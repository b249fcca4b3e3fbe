#include "coursegate/runtime/environment.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/runtime/daemon.hpp"
#include "coursegate/runtime/settings.hpp"

#include "child.hpp"

#include <catch2/catch.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace coursegate;
using Catch::Matchers::Contains;
using runtime::environment;

namespace {

using values = std::vector<std::pair<std::string, std::string>>;

std::string faults_of(const environment& env)
{
    try {
        env.finish();
    }
    catch (const base::bad_configuration& e) {
        return e.what();
    }
    return {};
}

// A file that is gone at the end of the test.
class scratch_file
{
public:
    explicit scratch_file(const std::string& content)
        : path_(
              std::filesystem::temp_directory_path() / ("coursegate-" + base::to_hex(base::random_bytes(8))))
    {
        std::ofstream{path_, std::ios::binary} << content;
    }
    ~scratch_file() { std::filesystem::remove(path_); }
    scratch_file(const scratch_file&) = delete;
    std::string path() const { return path_.string(); }

private:
    std::filesystem::path path_;
};

} // namespace

TEST_CASE("settings are read, and what is left out takes its default")
{
    environment env{values{{"NAME", "x"}, {"COUNT", "7"}, {"RATE", "2.5"}, {"ON", "Yes"},
        {"SITE", "https://example.org/base//"}, {"EMPTY", ""}}};
    CHECK(env.text("NAME", "a name") == "x");
    CHECK(env.text("OTHER", "a name", "y") == "y");
    CHECK(env.text("EMPTY", "an empty value counts as none", "z") == "z");
    CHECK(env.integer("COUNT", "how many", 1, 10) == 7);
    CHECK(env.integer("COUNT2", "how many", 1, 10, 3) == 3);
    CHECK(env.number("RATE", "how often", 0, 10) == 2.5);
    CHECK(env.number("RATE2", "how often", 0, 10, 0.5) == 0.5);
    CHECK(env.flag("ON", "whether", false));
    CHECK(env.flag("OFF", "whether", true));
    CHECK(env.url("SITE", "where") == "https://example.org/base");
    CHECK(env.url("SITE2", "where", "http://127.0.0.1:8080") == "http://127.0.0.1:8080");
    CHECK(env.url("SITE3", "where, if anywhere", "").empty());
    CHECK_NOTHROW(env.finish());
}

TEST_CASE("a bad environment is refused with all its faults at once")
{
    environment env{values{{"COUNT", "11"}, {"RATE", "fast"}, {"ON", "perhaps"}, {"SITE", "ftp://x"},
        {"SECRET", "one-secret"}, {"SECRET_FILE", "/nowhere"}, {"KEY_FILE", "/nowhere/key"}, {"HEX", "0x10"},
        {"TRAILING", "5 "}, {"HUGE", "99999999999999999999"}}};
    env.text("NAME", "a name");
    env.integer("COUNT", "how many", 1, 10);
    env.integer("HEX", "how many", 1, 10);
    env.integer("TRAILING", "how many", 1, 10);
    env.integer("HUGE", "how many", 1, 10);
    env.number("RATE", "how often", 0, 10);
    env.flag("ON", "whether", false);
    env.url("SITE", "where");
    env.secret("SECRET", "both forms");
    env.secret("KEY", "no file");
    env.secret("MISSING", "a token");
    env.fault("NAME and COUNT contradict each other");
    const auto faults = faults_of(env);
    INFO(faults);
    for (const auto* name :
        {"NAME is missing: a name", "COUNT is \"11\", but must be a whole number from 1 to 10", "HEX is",
            "TRAILING is", "HUGE is", "RATE is \"fast\"", "ON is \"perhaps\"", "SITE must begin with http",
            "SECRET and SECRET_FILE are both set", "KEY_FILE names /nowhere/key",
            "MISSING (or MISSING_FILE) is missing: a token", "NAME and COUNT contradict each other"})
        CHECK_THAT(faults, Contains(name));
    CHECK(std::count(faults.begin(), faults.end(), '\n') == 11);
    CHECK_THAT(faults, !Contains("one-secret"));
}

TEST_CASE("addresses that can't be called are refused")
{
    for (const std::string bad : {"example.org", "http://", "http:///path", "http://:80", "http://host:0",
             "http://host:x", "http://host:70000", "http://user:hidden@host", "http://host/?q",
             "http://host/#f", "http://ho st", "http://[::1", "//host"})
    {
        INFO(bad);
        environment env{values{{"SITE", bad}}};
        env.url("SITE", "where");
        const auto faults = faults_of(env);
        CHECK_THAT(faults, Contains("SITE"));
        CHECK_THAT(faults, !Contains("hidden"));
    }
    for (const std::string good :
        {"http://h", "https://host:8443/a/b", "http://[::1]:80", "http://[::1]", "http://127.0.0.1:1"})
    {
        INFO(good);
        environment env{values{{"SITE", good}}};
        CHECK(env.url("SITE", "where") == good);
        CHECK(faults_of(env).empty());
    }
}

TEST_CASE("a secret comes from the variable or from the file it names, and is never logged")
{
    const scratch_file file{"from-a-file-xyz\n"};
    const scratch_file two_lines{"two\nlines-xyz\r\n"};
    const scratch_file empty{"\n"};
    environment env{values{{"A", "from-env-xyz"}, {"B_FILE", file.path()}, {"C_FILE", two_lines.path()},
        {"D_FILE", empty.path()}}};
    CHECK(env.secret("A", "a").expose() == "from-env-xyz");
    CHECK(env.secret("B", "b").expose() == "from-a-file-xyz");
    CHECK(env.secret("C", "c").expose() == "two\nlines-xyz");
    CHECK(env.secret("NONE", "not needed", false).empty());
    CHECK_NOTHROW(env.finish());
    CHECK(log::without_secrets("x from-env-xyz y from-a-file-xyz z") == "x *** y *** z");
    CHECK(env.secret("D", "d").empty());
    CHECK_THAT(faults_of(env), Contains("D_FILE") && Contains("empty"));
}

TEST_CASE("what is asked for is described once")
{
    environment env{values{}};
    env.text("NAME", "a name");
    env.text("NAME", "a name");
    env.integer("COUNT", "how many", 1, 10, 4);
    env.secret("KEY", "a key");
    REQUIRE(env.asked().size() == 3);
    CHECK(env.asked()[0].otherwise == "required");
    CHECK(env.asked()[1].otherwise == "4");
    CHECK(env.asked()[2].is_secret);
    const auto faults = faults_of(env);
    CHECK(std::count(faults.begin(), faults.end(), '\n') == 1);
}

TEST_CASE("the settings of every daemon are read, checked and hidden")
{
    const auto key = base::to_base64(base::random_bytes(32));
    environment env{values{{"DATABASE_URL", "postgresql://role:data%2Bbase-pw@host/coursegate"},
        {"AMQP_URL", "amqp://u:broker-pw-1@one,amqps://u:broker-pw-2@two:5671/v"}, {"SECRET_KEY", key},
        {"ADMIN_PORT", "9000"}}};
    const auto common = runtime::read_settings(env, "stepik-sync");
    CHECK(common.service == "stepik-sync");
    CHECK(common.admin_host == "127.0.0.1");
    CHECK(common.admin_port == 9000);
    CHECK(common.log_level == "info");
    CHECK(std::count(common.instance.begin(), common.instance.end(), ':') == 2);
    CHECK(runtime::read_settings(env, "x").instance != common.instance);

    const auto database = runtime::read_database(env, "stepik-sync");
    CHECK(database.connections == 4);
    CHECK(database.application_name == "stepik-sync");
    const auto broker = runtime::read_broker(env, "stepik-sync");
    REQUIRE(broker.addresses.size() == 2);
    CHECK(broker.addresses[1].tls);
    CHECK(broker.prefix == "coursegate");
    CHECK(runtime::read_secret_key(env).expose() == key);
    CHECK_NOTHROW(env.finish());

    CHECK(log::without_secrets("a data+base-pw b data%2Bbase-pw c broker-pw-1 d broker-pw-2 e " + key) ==
          "a *** b *** c *** d *** e ***");
}

TEST_CASE("bad settings of a daemon are all named, without their secrets")
{
    environment env{values{{"DATABASE_URL", "mysql://role:hidden-pw-a@host/x"},
        {"AMQP_URL", "http://u:hidden-pw-b@one"}, {"SECRET_KEY", "tooshort"}, {"LOG_LEVEL", "loud"},
        {"DATABASE_CONNECTIONS", "0"}, {"ADMIN_PORT", "123456"}}};
    runtime::read_settings(env, "x");
    runtime::read_database(env, "x");
    runtime::read_broker(env, "x");
    runtime::read_secret_key(env);
    const auto faults = faults_of(env);
    INFO(faults);
    for (const auto* name :
        {"DATABASE_URL", "AMQP_URL", "SECRET_KEY", "LOG_LEVEL", "DATABASE_CONNECTIONS", "ADMIN_PORT"})
        CHECK_THAT(faults, Contains(name));
    for (const auto* hidden : {"hidden-pw-a", "hidden-pw-b", "tooshort"})
        CHECK_THAT(faults, !Contains(hidden));
}

namespace {

void read_all(environment& env)
{
    runtime::read_settings(env, "stepik-sync");
    runtime::read_database(env, "stepik-sync");
    runtime::read_broker(env, "stepik-sync");
    runtime::read_secret_key(env);
    env.finish();
}

int run_with(std::vector<std::string> arguments, std::string& output)
{
    runtime::child c{[&] {
        arguments.insert(arguments.begin(), "stepik-sync");
        std::vector<char*> argv;
        for (auto& a : arguments)
            argv.push_back(a.data());
        runtime::handle_arguments(static_cast<int>(argv.size()), argv.data(), "stepik-sync",
            "reads progress from Stepik", read_all);
    }};
    const int code = c.wait();
    output = c.output();
    return code;
}

} // namespace

TEST_CASE("a bad option, prefix, certificate file and each bad address are told together")
{
    environment env{values{{"DATABASE_URL", "postgresql://role:hidden-pw-c@host/x?sslmod=require"},
        {"AMQP_URL", "amqp://u@one,amqp://u:hidden-pw-d@two,http://three"}, {"AMQP_PREFIX", "two words"},
        {"AMQP_CA_FILE", "/nowhere/ca.pem"}, {"SECRET_KEY", "tooshort"}}};
    runtime::read_database(env, "x");
    runtime::read_broker(env, "x");
    runtime::read_secret_key(env);
    const auto faults = faults_of(env);
    INFO(faults);
    for (const auto* text : {"DATABASE_URL has an option that libpq does not know: sslmod",
             "AMQP_URL: address 1: names no password", "AMQP_URL: address 3: must begin with",
             "AMQP_PREFIX is \"two words\"", "AMQP_CA_FILE names /nowhere/ca.pem", "SECRET_KEY"})
        CHECK_THAT(faults, Contains(text));
    CHECK_THAT(faults, !Contains("hidden-pw"));
}

TEST_CASE("a DATABASE_URL that is refused does not show any of a password that was not encoded")
{
    for (const std::string bad :
        {"postgresql://role:hid%zzden-pw@host/x", "postgresql://role:hid/den-pw?x=1@host/x"})
    {
        environment env{values{{"DATABASE_URL", bad}}};
        runtime::read_database(env, "x");
        const auto faults = faults_of(env);
        INFO(faults);
        CHECK_THAT(faults, Contains("DATABASE_URL"));
        CHECK_THAT(faults, !Contains("den-pw") && !Contains("hid"));
    }
}

TEST_CASE("what libpq would read from the environment on its own is gone once a daemon is there")
{
    runtime::child c{[] {
        ::setenv("PGHOST", "elsewhere", 1);
        ::setenv("PGSSLMODE", "disable", 1);
        ::setenv("DATABASE_URL", "kept", 1);
        const runtime::daemon daemon{runtime::settings{}};
        const bool gone = ::getenv("PGHOST") == nullptr && ::getenv("PGSSLMODE") == nullptr;
        ::_exit(gone && ::getenv("DATABASE_URL") != nullptr ? 0 : 1);
    }};
    CHECK(c.wait() == 0);
}

TEST_CASE("a daemon may open as many files as the system allows")
{
    runtime::child c{[] {
        rlimit files{};
        ::getrlimit(RLIMIT_NOFILE, &files);
        files.rlim_cur = 256;
        ::setrlimit(RLIMIT_NOFILE, &files);
        const runtime::daemon daemon{runtime::settings{}};
        ::getrlimit(RLIMIT_NOFILE, &files);
        ::_exit(files.rlim_cur > 256 && files.rlim_cur == files.rlim_max ? 0 : 1);
    }};
    CHECK(c.wait() == 0);
}

TEST_CASE("--help lists every setting that is read, with its default")
{
    std::string output;
    CHECK(run_with({"--help"}, output) == 0);
    INFO(output);
    for (const auto* text : {"reads progress from Stepik", "HOST", "(default: 127.0.0.1)", "ADMIN_PORT",
             "LOG_LEVEL", "DATABASE_URL", "(required) [secret]", "DATABASE_CONNECTIONS", "(default: 4)",
             "AMQP_URL", "AMQP_PREFIX", "AMQP_CA_FILE", "SECRET_KEY", "NAME_FILE"})
        CHECK_THAT(output, Contains(text));
}

TEST_CASE("--version says which, unknown arguments are refused, none are fine")
{
    std::string output;
    CHECK(run_with({"--version"}, output) == 0);
    CHECK_THAT(output, Contains("stepik-sync 0."));
    CHECK(run_with({"--verbose"}, output) == 2);
    CHECK_THAT(output, Contains("unknown argument --verbose"));
    CHECK(run_with({"--help", "me"}, output) == 2);
    CHECK(run_with({}, output) == 99); // came back
}

TEST_CASE("the last words of main are one sentence without secrets")
{
    log::never_print(base::secret{"fatal-secret"});
    runtime::child c{
        [] { ::_exit(runtime::report_fatal(std::runtime_error("no login with fatal-secret"))); }};
    CHECK(c.wait() == 1);
    CHECK(c.output() == "no login with ***\n");
}
