// RabbitMQ's memory alarm stops every publisher of the node, so these run only when asked for by tag, on a
// node that nobody else uses: TEST_RABBITMQCTL='rabbitmqctl …' amqp_mqtest '[alarm]'
#include "fixture.hpp"

#include "coursegate/async/gate.hpp"

#include <cstdlib>
#include <set>

using namespace coursegate;
using namespace coursegate::amqp;

namespace {

bool rabbitmqctl(const std::string& arguments)
{
    const char* const program = std::getenv("TEST_RABBITMQCTL");
    if (program == nullptr || *program == '\0')
        return false;
    return std::system((std::string(program) + " " + arguments + " >/dev/null 2>&1").c_str()) == 0;
}

struct memory_alarm
{
    memory_alarm() { REQUIRE(rabbitmqctl("set_vm_memory_high_watermark 0.00001")); }
    ~memory_alarm() { end(); }
    memory_alarm(const memory_alarm&) = delete;
    static void end() { rabbitmqctl("set_vm_memory_high_watermark absolute 2GB"); }
};

} // namespace

TEST_CASE(
    "under the memory alarm health names it, confirms run out, and everything is sent after it", "[.alarm]")
{
    if (std::getenv("TEST_RABBITMQCTL") == nullptr) {
        WARN("left out: TEST_RABBITMQCTL is not set");
        return;
    }
    fixture f;
    f.settings.confirm_deadline = 2s;
    std::multiset<std::string> handled;
    f.handle(
        [&](const events::lesson_passed&, events::message_context& context) -> async::task<events::verdict> {
            handled.insert(context.message_id());
            co_return events::verdict::ack();
        });
    f.run(
        [&]() -> async::task<void> {
            co_await f.publish(messages(1, 10));
            auto waiting = messages(11, 500);
            {
                const memory_alarm alarm;
                const auto outcomes = co_await f.out->publish(waiting);
                CHECK(outcomes == std::vector<events::delivery>(500, events::delivery::unknown));
                // The new connection is told as soon as it publishes.
                auto again = waiting;
                bool named = false;
                for (int round = 0; round < 10 && !named; ++round) {
                    async::gate gate{f.loop.get_executor()};
                    gate.spawn(
                        "publish", [&f, again]() -> async::task<void> { co_await f.out->publish(again); });
                    named = co_await testkit::eventually_async(3s,
                        [&] { return f.out->check().detail.find("blocks publishing") != std::string::npos; });
                    co_await gate.close(false);
                }
                CHECK(named);
            }
            const bool back = co_await testkit::eventually_async(30s, [&] { return f.out->check().ok; });
            CHECK(back);
            co_await f.publish(waiting);
            const bool all = co_await testkit::eventually_async(
                30s, [&] { return std::set<std::string>(handled.begin(), handled.end()).size() == 510; });
            CHECK(all);
        },
        120s);
}
