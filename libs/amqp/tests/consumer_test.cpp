#include "coursegate/amqp/consumer.hpp"
#include "coursegate/events/lesson_passed.hpp"

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

using namespace coursegate;

namespace {

async::task<events::verdict> taken(const events::lesson_passed&, events::message_context&)
{
    co_return events::verdict::ack();
}

amqp::queue some_queue(const std::string& name)
{
    amqp::queue q;
    q.name = name;
    return q;
}

} // namespace

TEST_CASE("a subscribed queue that is not in the topology, or has no dead-letter route, is refused at start")
{
    boost::asio::io_context loop;
    amqp::settings s;
    amqp::topology t;
    t.queues.push_back(some_queue("there"));
    t.queues.push_back(some_queue("lossy"));
    t.queues.back().dead_letter_route = false;
    amqp::publisher copies{loop.get_executor(), s, amqp::topology{}};

    events::subscriptions elsewhere;
    elsewhere.on<events::lesson_passed>("missing", "test.on_lesson_passed", taken);
    CHECK_THROWS_WITH(amqp::consumer(loop.get_executor(), s, t, elsewhere, copies),
        "queue missing has handlers but is not in the topology");

    events::subscriptions unsafe;
    unsafe.on<events::lesson_passed>("lossy", "test.on_lesson_passed", taken);
    CHECK_THROWS_WITH(
        amqp::consumer(loop.get_executor(), s, t, unsafe, copies), "queue lossy has no dead-letter route");
}

TEST_CASE("a topology without a dead-letter route, or with a queue twice, is not declared")
{
    amqp::settings nowhere; // refused before any connection is tried
    amqp::topology t;
    t.queues.push_back(some_queue("q"));
    t.queues.back().dead_letter_route = false;
    CHECK_THROWS_WITH(amqp::declare(nowhere, t), Catch::Contains("queue q has no dead-letter route"));

    t.queues.back().dead_letter_route = true;
    t.queues.push_back(some_queue("q"));
    CHECK_THROWS_WITH(amqp::declare(nowhere, t), Catch::Contains("queue q is there twice"));

    t.queues.pop_back();
    CHECK_THROWS_AS(amqp::declare(nowhere, t), base::dependency_down);
}
