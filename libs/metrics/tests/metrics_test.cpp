#include "coursegate/metrics/metrics.hpp"

#include <catch2/catch.hpp>

#include <thread>

using namespace coursegate;
using Catch::Matchers::Contains;

TEST_CASE("the same name and labels are the same counter")
{
    auto& one = metrics::get_counter("test_sent_total", "Sent", {{"queue", "a"}});
    auto& same = metrics::get_counter("test_sent_total", "Sent", {{"queue", "a"}});
    auto& other = metrics::get_counter("test_sent_total", "Sent", {{"queue", "b"}});
    CHECK(&one == &same);
    CHECK(&one != &other);
    one.increment();
    one.increment(2);
    CHECK(same.value() == 3);
    CHECK(other.value() == 0);
    const auto text = metrics::expose();
    CHECK_THAT(text, Contains("# TYPE test_sent_total counter"));
    CHECK_THAT(text, Contains("test_sent_total{queue=\"a\"} 3"));
    CHECK_THAT(text, Contains("test_sent_total{queue=\"b\"} 0"));
}

TEST_CASE("a gauge is set and moved")
{
    auto& g = metrics::get_gauge("test_waiting", "Waiting");
    g.set(5);
    g.add(-2);
    CHECK(g.value() == 3);
    CHECK_THAT(metrics::expose(), Contains("test_waiting 3"));
}

TEST_CASE("a histogram has buckets from half a millisecond to a minute unless it is given others")
{
    auto& seconds = metrics::get_histogram("test_seconds", "Duration");
    seconds.observe(0.0004);
    seconds.observe(std::chrono::seconds(59));
    auto& sizes = metrics::get_histogram("test_sizes", "Sizes", {}, {1, 10});
    sizes.observe(7);
    {
        const metrics::stopwatch measured{seconds};
    }
    const auto text = metrics::expose();
    CHECK_THAT(text, Contains("test_seconds_bucket{le=\"0.0005\"}"));
    CHECK_THAT(text, Contains("test_seconds_bucket{le=\"30\"} 2"));
    CHECK_THAT(text, Contains("test_seconds_bucket{le=\"60\"} 3"));
    CHECK_THAT(text, Contains("test_seconds_count 3"));
    CHECK_THAT(text, Contains("test_sizes_bucket{le=\"1\"} 0"));
    CHECK_THAT(text, Contains("test_sizes_bucket{le=\"10\"} 1"));
}

TEST_CASE("the process shows itself under the usual names")
{
    const auto text = metrics::expose();
    for (const auto* name : {"process_cpu_seconds_total", "process_resident_memory_bytes",
             "process_private_memory_bytes", "process_virtual_memory_bytes", "process_open_fds",
             "process_max_fds", "process_start_time_seconds", "process_threads"})
    {
        INFO(name);
        const auto at = text.find(std::string("\n") + name + " ");
        REQUIRE(at != std::string::npos);
        CHECK(std::stod(text.substr(text.find(' ', at) + 1)) >= 0);
    }
    const auto at = text.find("\nprocess_start_time_seconds ");
    const auto started = std::stod(text.substr(text.find(' ', at) + 1));
    const auto now =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    CHECK(started <= now + 2);
    CHECK(started > now - 3600);
}

TEST_CASE("counting from several threads loses nothing")
{
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([] {
            for (int i = 0; i < 1000; ++i)
                metrics::get_counter("test_threads_total", "Threads").increment();
        });
    }
    for (auto& t : threads)
        t.join();
    CHECK(metrics::get_counter("test_threads_total", "Threads").value() == 4000);
}
