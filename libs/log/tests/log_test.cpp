#include "captured.hpp"

#include "coursegate/base/encoding.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <climits>
#include <future>
#include <limits>
#include <thread>

using namespace coursegate;
using log::captured;

TEST_CASE("a line is one JSON object with time, level, service, message and the fields")
{
    const captured lines;
    log::set_service("stepik-sync");
    const auto id = base::new_uuid();
    const auto before = base::now();
    log::info("grant confirmed",
        {{"grant_id", id}, {"ms", 12}, {"share", 0.5}, {"ok", true}, {"name", "Ann"}, {"at", before}});
    REQUIRE(lines.all().size() == 1);
    CHECK(lines.all()[0].find('\n') == lines.all()[0].size() - 1);
    const auto line = lines.last();
    CHECK(line["level"] == "info");
    CHECK(line["service"] == "stepik-sync");
    CHECK(line["message"] == "grant confirmed");
    CHECK(line["grant_id"] == base::to_string(id));
    CHECK(line["ms"] == 12);
    CHECK(line["share"] == 0.5);
    CHECK(line["ok"] == true);
    CHECK(line["name"] == "Ann");
    CHECK(line["at"] == base::to_iso8601(before));
    CHECK(base::parse_iso8601(line["time"].get<std::string>()).value() >= before);
}

TEST_CASE("what is below the level is not written, and the level changes at run time")
{
    const captured lines;
    log::set_level(log::level::warning);
    log::info("no");
    log::warning("yes");
    CHECK(lines.all().size() == 1);
    CHECK_FALSE(log::enabled(log::level::info));
    log::set_level(log::level::debug);
    log::debug("yes");
    log::write(log::level::trace, "no");
    CHECK(lines.all().size() == 2);

    log::level l = log::level::error;
    CHECK(log::parse_level("trace", l));
    CHECK(l == log::level::trace);
    CHECK_FALSE(log::parse_level("loud", l));
    CHECK_FALSE(log::parse_level("INFO", l));
    CHECK(l == log::level::trace);
}

TEST_CASE("a logger adds the fields of what is being worked on, and its copies do not share later ones")
{
    const captured lines;
    const auto request = log::logger{}.with({{"request_id", "r-1"}});
    const auto deeper = request.with({{"course", 247644}});
    deeper.info("deep", {{"ms", 1}});
    CHECK(lines.last()["request_id"] == "r-1");
    CHECK(lines.last()["course"] == 247644);
    CHECK(lines.last()["ms"] == 1);
    request.error("shallow");
    CHECK(lines.last()["level"] == "error");
    CHECK_FALSE(lines.last().contains("course"));
    log::logger{}.warning("none");
    CHECK_FALSE(lines.last().contains("request_id"));
}

TEST_CASE("nobody can forge a line or a field")
{
    const captured lines;
    const std::string attack = "x\",\"level\":\"error\"}\n{\"level\":\"fatal\",\"message\":\"forged\"}\r\n";
    log::info(attack, {{"name", attack}, {"a\":1,\"level", attack}});
    log::logger{}.with({{"user_agent", attack}}).info("from outside");
    REQUIRE(lines.all().size() == 2);
    for (const auto& line : lines.all()) {
        CHECK(line.find('\n') == line.size() - 1);
        CHECK(line.find('\r') == std::string::npos);
        CHECK(nlohmann::json::parse(line)["level"] == "info");
    }
    CHECK(lines.last()["user_agent"] == attack);
    CHECK(nlohmann::json::parse(lines.all()[0])["message"] == attack);
}

TEST_CASE("a field can't take the name of one that every line has")
{
    const captured lines;
    log::info("real", {{"message", "other"}, {"level", "error"}, {"time", 0}, {"service", "x"}});
    CHECK(lines.last()["message"] == "real");
    CHECK(lines.last()["level"] == "info");
    CHECK(lines.last()["message_"] == "other");
}

TEST_CASE("every byte can be logged: controls are escaped, what is not UTF-8 is replaced")
{
    const captured lines;
    std::string all;
    for (int b = 0; b < 256; ++b)
        all += static_cast<char>(b);
    log::info(all, {{"bytes", all}});
    const auto raw = lines.all()[0];
    for (const char c : raw.substr(0, raw.size() - 1))
        CHECK(static_cast<unsigned char>(c) >= 0x20);
    const auto message = lines.last()["message"].get<std::string>();
    CHECK(message.substr(0, 128) == all.substr(0, 128));
    CHECK(message.substr(128, 3) == "\xef\xbf\xbd");

    for (const std::string good : {"é", "日本", "\xf0\x9f\x8e\x93", "\xe2\x80\xa8", "\xc2\x85"}) {
        log::info(good);
        CHECK(lines.last()["message"] == good);
    }
    // Overlong, surrogate, too high, cut off.
    for (const std::string bad : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe6\x97", "\xf0\x9f\x8e"})
    {
        log::info(bad + "!");
        const auto shown = lines.last()["message"].get<std::string>();
        CHECK(shown.find("\xef\xbf\xbd") == 0);
        CHECK(shown.back() == '!');
    }
}

TEST_CASE("numbers that JSON does not know are written as text")
{
    const captured lines;
    log::info(
        "odd", {{"nan", std::numeric_limits<double>::quiet_NaN()},
                   {"inf", std::numeric_limits<double>::infinity()}, {"big", 1e300}, {"small", -1e-300}});
    CHECK(lines.last()["nan"] == "nan");
    CHECK(lines.last()["inf"] == "inf");
    CHECK(lines.last()["big"] == 1e300);
    CHECK(lines.last()["small"] == -1e-300);
}

TEST_CASE("a very long text is cut and says so")
{
    const captured lines;
    log::info("long", {{"body", std::string(100'000, 'x')}});
    CHECK(lines.all()[0].size() < 10'000);
    CHECK_THAT(lines.last()["body"].get<std::string>(), Catch::Matchers::Contains("bytes more"));
    log::info("cut in the middle of a letter", {{"body", std::string(8191, 'x') + "é"}});
    CHECK(lines.last()["body"].get<std::string>().size() > 8000);
}

TEST_CASE("lines of several threads never mix on standard error")
{
    const captured restored; // level and sink, at the end
    log::set_level(log::level::info);
    log::set_sink(nullptr); // standard error
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const int saved = ::dup(STDERR_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
    std::string read;
    std::thread reader{[&] {
        char buffer[4096];
        for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
            read.append(buffer, static_cast<std::size_t>(n));
    }};
    std::vector<std::thread> writers;
    for (int t = 0; t < 4; ++t) {
        writers.emplace_back([t] {
            for (int i = 0; i < 200; ++i)
                log::info("from a thread",
                    {{"thread", t}, {"padding", std::string(300, static_cast<char>('a' + t))}});
        });
    }
    for (auto& w : writers)
        w.join();
    ::dup2(saved, STDERR_FILENO);
    ::close(saved);
    reader.join();
    ::close(ends[0]);

    std::size_t count = 0;
    for (std::size_t at = 0; at < read.size(); ++count) {
        const auto end = read.find('\n', at);
        REQUIRE(end != std::string::npos);
        REQUIRE(nlohmann::json::accept(read.substr(at, end - at)));
        at = end + 1;
    }
    CHECK(count == 800);
}

namespace {

// Standard error as a pipe that is full, until read_all().
class stalled_reader
{
public:
    stalled_reader() : before_(::dup(STDERR_FILENO)), sink_(log::set_sink(nullptr))
    {
        REQUIRE(::pipe(ends_) == 0);
        REQUIRE(::fcntl(ends_[0], F_SETFL, O_NONBLOCK) == 0);
        REQUIRE(::fcntl(ends_[1], F_SETFL, O_NONBLOCK) == 0);
        const std::string page(PIPE_BUF, '.');
        while (::write(ends_[1], page.data(), page.size()) > 0)
            ;
        REQUIRE(::fcntl(ends_[1], F_SETFL, 0) == 0);
        ::dup2(ends_[1], STDERR_FILENO);
    }
    ~stalled_reader()
    {
        log::set_sink(sink_);
        ::dup2(before_, STDERR_FILENO);
        for (const int fd : {before_, ends_[0], ends_[1]})
            ::close(fd);
    }
    stalled_reader(const stalled_reader&) = delete;

    std::string read_all()
    {
        std::string out;
        char some[PIPE_BUF];
        for (ssize_t n = 0; (n = ::read(ends_[0], some, sizeof some)) > 0;)
            out.append(some, static_cast<std::size_t>(n));
        return out.substr(std::min(out.find_first_not_of('.'), out.size()));
    }

private:
    int before_;
    log::sink sink_;
    int ends_[2] = {};
};

} // namespace

TEST_CASE("a reader of the log that stops reading costs one second and not the work")
{
    using namespace std::chrono_literals;
    stalled_reader reader;
    const auto timed = [&] {
        const auto began = std::chrono::steady_clock::now();
        auto line = std::async(std::launch::async, [] { log::info("nobody reads this"); });
        if (line.wait_for(5s) != std::future_status::ready)
            reader.read_all(); // lets the thread go
        line.wait();
        return std::chrono::steady_clock::now() - began;
    };
    const auto first = timed();
    const auto second = timed();
    CHECK(first >= 900ms);
    CHECK(first < 3s);
    CHECK(second < 500ms);
    CHECK(reader.read_all().empty());

    log::info("read again");
    const auto text = reader.read_all();
    CHECK_THAT(text, Catch::Contains("read again") && !Catch::Contains("nobody"));
    CHECK(nlohmann::json::accept(text));
}

TEST_CASE("a line that was broken off does not spoil the next one")
{
    stalled_reader reader;
    reader.read_all();
    const std::string text(8'000, 'x');
    log::info("many", {{"a", text}, {"b", text}, {"c", text}, {"d", text}, {"e", text}, {"f", text},
                          {"g", text}, {"h", text}, {"i", text}}); // more than a pipe holds
    const auto half = reader.read_all();
    CHECK(half.find('\n') == std::string::npos);
    log::info("whole");
    const auto rest = reader.read_all();
    REQUIRE(rest.starts_with('\n'));
    CHECK(nlohmann::json::accept(rest.substr(1)));
}
