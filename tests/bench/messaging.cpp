// Outbox relay against bare librabbitmq, and consumer with inbox row against bare librabbitmq + the same
// inserts: same queue type, same bodies, same machine, interleaved rounds, medians.
//
//   bench_messaging [messages per round, default 20000]
#include "coursegate/amqp/consumer.hpp"
#include "coursegate/amqp/publisher.hpp"
#include "coursegate/async/gate.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/events/lesson_passed.hpp"
#include "coursegate/outbox/outbox.hpp"
#include "coursegate/outbox/relay.hpp"
#include "coursegate/testkit/broker.hpp"
#include "coursegate/testkit/database.hpp"
#include "coursegate/testkit/run.hpp"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <deque>
#include <thread>

namespace {

using namespace coursegate;
using clock_type = std::chrono::steady_clock;

constexpr auto window = 1000; // confirms in flight, both sides
constexpr auto rounds = 5;
constexpr auto consumers = 4; // parallel transactions, both sides
const std::string queue_name = "bench.events";

double seconds_since(clock_type::time_point start)
{
    return std::chrono::duration<double>(clock_type::now() - start).count();
}

double median(std::vector<double> v)
{
    std::sort(v.begin(), v.end());
    return v[v.size() / 2];
}

events::lesson_passed sample(std::int64_t n)
{
    events::lesson_passed e;
    e.course_id = 247644;
    e.stepik_user_id = 900000000 + n;
    e.lesson_id = 1855603;
    e.passed_before = base::now();
    e.seen_at = base::now();
    return e;
}

// --- bare librabbitmq --------------------------------------------------------------------------------

void check(amqp_rpc_reply_t reply, const char* what)
{
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
        fmt::print(stderr, "bare librabbitmq: {} failed\n", what);
        std::exit(1);
    }
}

amqp_connection_state_t bare_connect(const amqp::settings& s)
{
    const auto& address = s.addresses.front();
    auto* connection = amqp_new_connection();
    auto* socket = amqp_tcp_socket_new(connection);
    if (amqp_socket_open(socket, address.host.c_str(), address.port) != AMQP_STATUS_OK)
        std::exit(1);
    check(amqp_login(connection, "/", 0, 131072, 60, AMQP_SASL_METHOD_PLAIN, address.user.c_str(),
              address.password.expose().c_str()),
        "login");
    amqp_channel_open(connection, 1);
    check(amqp_get_rpc_reply(connection), "channel.open");
    return connection;
}

// Publishes `count` messages with a window of confirms; messages per second.
double bare_publish(const amqp::settings& s, const std::vector<std::string>& bodies)
{
    auto* connection = bare_connect(s);
    amqp_confirm_select(connection, 1);
    check(amqp_get_rpc_reply(connection), "confirm.select");
    const auto exchange = s.prefix + ".events";
    const std::string key = "lesson_passed.v1";
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG;
    properties.delivery_mode = 2;
    properties.content_type = amqp_cstring_bytes("application/cloudevents+json");
    const auto start = clock_type::now();
    std::uint64_t sent = 0;
    std::uint64_t confirmed = 0;
    std::uint64_t lowest = 1; // every tag below is confirmed
    std::vector<bool> is_confirmed(bodies.size() + 1);
    while (confirmed < bodies.size()) {
        while (sent < bodies.size() && sent - confirmed < window) {
            const auto& body = bodies[sent++];
            amqp_basic_publish(connection, 1, amqp_cstring_bytes(exchange.c_str()),
                amqp_cstring_bytes(key.c_str()), 1, 0, &properties,
                amqp_bytes_t{body.size(), const_cast<char*>(body.data())});
        }
        amqp_frame_t frame;
        if (amqp_simple_wait_frame(connection, &frame) != AMQP_STATUS_OK)
            std::exit(1);
        if (frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_ACK_METHOD) {
            const auto* ack = static_cast<amqp_basic_ack_t*>(frame.payload.method.decoded);
            for (auto tag = ack->multiple ? lowest : ack->delivery_tag; tag <= ack->delivery_tag; ++tag) {
                confirmed += is_confirmed[tag] ? 0 : 1;
                is_confirmed[tag] = true;
            }
            while (lowest <= bodies.size() && is_confirmed[lowest])
                ++lowest;
        }
        amqp_maybe_release_buffers(connection);
    }
    const auto rate = static_cast<double>(bodies.size()) / seconds_since(start);
    amqp_destroy_connection(connection);
    return rate;
}

constexpr db::statement insert_effect{"bench.insert_effect",
    "INSERT INTO bench.effects (message_id, student) VALUES ($1, $2) ON CONFLICT DO NOTHING"};

// `consumers` threads, each its own broker and database connection, one transaction per message with the
// inbox row and the effect; messages per second.
double bare_consume(const amqp::settings& s, const db::settings& database, std::size_t count)
{
    std::atomic<std::size_t> done{0};
    const auto start = clock_type::now();
    std::vector<std::thread> threads;
    for (int n = 0; n < consumers; ++n)
        threads.emplace_back([&] {
            auto* connection = bare_connect(s);
            db::session session{database};
            amqp_basic_qos(connection, 1, 0, 100 / consumers, 0);
            const auto name = s.prefix + "." + queue_name;
            amqp_basic_consume(
                connection, 1, amqp_cstring_bytes(name.c_str()), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
            check(amqp_get_rpc_reply(connection), "consume");
            while (done < count) {
                amqp_envelope_t envelope;
                timeval limit{0, 50'000};
                if (amqp_consume_message(connection, &envelope, &limit, 0).reply_type != AMQP_RESPONSE_NORMAL)
                    continue;
                const std::string body(
                    static_cast<char*>(envelope.message.body.bytes), envelope.message.body.len);
                const auto parsed = events::parse_envelope(body);
                session.transact([&](db::transaction& tx) {
                    const auto id = base::to_string(parsed->id);
                    if (outbox::first_time(tx, "bench.bare", id))
                        tx.exec(insert_effect, id, 1);
                });
                amqp_basic_ack(connection, 1, envelope.delivery_tag, 0);
                amqp_destroy_envelope(&envelope);
                amqp_maybe_release_buffers(connection);
                ++done;
            }
            amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS);
            amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
            amqp_destroy_connection(connection);
        });
    for (auto& t : threads)
        t.join();
    return static_cast<double>(count) / seconds_since(start);
}

// --- ours --------------------------------------------------------------------------------------------

// Notes when the relay hands a batch to the publisher's thread, and when the broker has confirmed it.
class noting_publisher final : public events::publisher
{
public:
    explicit noting_publisher(events::publisher& inner) : inner_(inner) {}

    async::task<std::vector<events::delivery>> publish(std::vector<events::outgoing> messages) override
    {
        handed_over = clock_type::now();
        auto deliveries = co_await inner_.publish(std::move(messages));
        confirmed = clock_type::now();
        co_return deliveries;
    }

    clock_type::time_point handed_over{};
    clock_type::time_point confirmed{};

private:
    events::publisher& inner_;
};

constexpr db::statement count_outbox{"bench.count_outbox", "SELECT count(*) AS n FROM outbox"};

async::task<std::int64_t> outbox_rows(db::pool& pool)
{
    co_return co_await pool.transact(
        [&](db::transaction& tx) { return db::get<std::int64_t>(tx.exec(count_outbox)[0], "n"); });
}

struct our_figures
{
    double relay_rate = 0;
    std::vector<double> wake_ups; // milliseconds from the commit to the publisher
    std::vector<double> confirms; // milliseconds from the commit to the broker's confirm
};

double since(clock_type::time_point committed, clock_type::time_point then)
{
    return std::max(0.0, std::chrono::duration<double, std::milli>(then - committed).count());
}

our_figures run_relay(const amqp::settings& s, const amqp::topology& t, const db::settings& database,
    const std::vector<events::envelope>& envelopes, bool measure_wake_up)
{
    boost::asio::io_context loop;
    our_figures out;
    testkit::run(
        loop,
        [&]() -> async::task<void> {
            db::pool pool{loop.get_executor(), database};
            amqp::publisher publisher{loop.get_executor(), s, t};
            noting_publisher noting{publisher};
            co_await pool.start();
            co_await publisher.start();
            for (std::size_t i = 0; i < envelopes.size(); i += 1000) {
                const std::vector<events::envelope> slice(envelopes.begin() + static_cast<std::ptrdiff_t>(i),
                    envelopes.begin() + static_cast<std::ptrdiff_t>(std::min(envelopes.size(), i + 1000)));
                co_await pool.transact([&](db::transaction& tx) { outbox::add_envelopes(tx, slice); });
            }
            outbox::relay relay{loop.get_executor(), pool, noting};
            const auto start = clock_type::now();
            co_await relay.start();
            for (;;) {
                const auto left = co_await outbox_rows(pool);
                if (left == 0)
                    break;
                co_await async::sleep_for(std::chrono::milliseconds(20));
            }
            out.relay_rate = static_cast<double>(envelopes.size()) / seconds_since(start);
            for (int n = 0; measure_wake_up && n < 200; ++n) {
                co_await async::sleep_for(std::chrono::milliseconds(15));
                noting.confirmed = {};
                const auto e = sample(n);
                co_await pool.transact([&](db::transaction& tx) { outbox::add(tx, "bench", e); });
                const auto committed = clock_type::now();
                while (noting.confirmed == clock_type::time_point{})
                    co_await async::sleep_for(std::chrono::microseconds(200));
                out.wake_ups.push_back(since(committed, noting.handed_over));
                out.confirms.push_back(since(committed, noting.confirmed));
            }
            co_await relay.stop();
            co_await publisher.stop();
            co_await pool.stop();
        },
        std::chrono::minutes(5));
    return out;
}

double run_consumer(
    const amqp::settings& s, const amqp::topology& t, const db::settings& database, std::size_t count)
{
    boost::asio::io_context loop;
    double rate = 0;
    testkit::run(
        loop,
        [&]() -> async::task<void> {
            db::pool pool{loop.get_executor(), database};
            amqp::publisher publisher{loop.get_executor(), s, t};
            co_await pool.start();
            co_await publisher.start();
            std::size_t done = 0;
            events::subscriptions subscriptions;
            subscriptions.on<events::lesson_passed>(queue_name, "bench.ours",
                [&](const events::lesson_passed&,
                    events::message_context& context) -> async::task<events::verdict> {
                    const auto id = context.message_id();
                    co_await pool.transact([&](db::transaction& tx) {
                        if (outbox::first_time(tx, "bench.ours", id))
                            tx.exec(insert_effect, id, 1);
                    });
                    ++done;
                    co_return events::verdict::ack();
                });
            amqp::consumer consumer{loop.get_executor(), s, t, subscriptions, publisher};
            const auto start = clock_type::now();
            co_await consumer.start();
            while (done < count)
                co_await async::sleep_for(std::chrono::milliseconds(5));
            rate = static_cast<double>(count) / seconds_since(start);
            co_await consumer.stop();
            co_await publisher.stop();
            co_await pool.stop();
        },
        std::chrono::minutes(5));
    return rate;
}

} // namespace

int main(int argc, char** argv)
{
    const auto count = static_cast<std::size_t>(argc > 1 ? std::atoi(argv[1]) : 20000);
    amqp::topology topology;
    amqp::queue queue;
    queue.name = queue_name;
    queue.bindings = {"lesson_passed.v1"};
    queue.prefetch = 100;
    topology.queues.push_back(queue);
    testkit::broker broker{topology, true};
    testkit::database database{true};
    database.owner().execute_plain(
        "CREATE SCHEMA bench; CREATE TABLE bench.effects (message_id text PRIMARY KEY, "
        "student bigint); ");
    auto settings = database.settings_as("stepik-sync");
    settings.url = base::secret{database.url()};
    settings.connections = consumers;

    std::vector<events::envelope> envelopes;
    std::vector<std::string> bodies;
    for (std::size_t n = 0; n < count; ++n) {
        envelopes.push_back(events::wrap("bench", sample(static_cast<std::int64_t>(n))));
        bodies.push_back(envelopes.back().to_body());
    }
    fmt::print("{} messages of {} bytes a round, {} rounds, quorum queue, window {}\n", count,
        bodies[0].size(), rounds, window);

    std::vector<double> bare_rates, relay_rates, bare_consumed, our_consumed, wake_ups, confirms;
    for (int round = 0; round < rounds; ++round) {
        bare_rates.push_back(bare_publish(broker.settings(), bodies));
        bare_consumed.push_back(bare_consume(broker.settings(), settings, count));
        database.owner().execute_plain("TRUNCATE bench.effects; TRUNCATE learning.inbox");
        auto ours = run_relay(broker.settings(), topology, settings, envelopes, round == 0);
        relay_rates.push_back(ours.relay_rate);
        if (!ours.wake_ups.empty()) {
            wake_ups = ours.wake_ups;
            confirms = ours.confirms;
        }
        our_consumed.push_back(run_consumer(broker.settings(), topology, settings, count));
        database.owner().execute_plain("TRUNCATE bench.effects; TRUNCATE learning.inbox");
        fmt::print("  round {}: publish bare {:>7.0f}/s relay {:>7.0f}/s | consume bare {:>6.0f}/s ours "
                   "{:>6.0f}/s\n",
            round + 1, bare_rates.back(), relay_rates.back(), bare_consumed.back(), our_consumed.back());
    }
    std::sort(wake_ups.begin(), wake_ups.end());
    const auto relay_ratio = median(relay_rates) / median(bare_rates);
    const auto consume_ratio = median(our_consumed) / median(bare_consumed);
    fmt::print("outbox relay / bare librabbitmq: {:.2f} (floor 0.60)\n", relay_ratio);
    fmt::print("consumer with inbox / bare librabbitmq + same inserts, {} in parallel: {:.2f} (floor 0.60)\n",
        consumers, consume_ratio);
    const auto wake_up = median(wake_ups);
    fmt::print("commit to publisher when idle: p50 {:.2f} ms (ceiling 5), p99 {:.2f} ms; to the broker's "
               "confirm: p50 "
               "{:.2f} ms\n",
        wake_up, wake_ups[wake_ups.size() * 99 / 100], median(confirms));
    return relay_ratio >= 0.6 && consume_ratio >= 0.6 && wake_up < 5 ? 0 : 1;
}
