#include "coursegate/amqp/topology.hpp"

#include "declare.hpp"
#include "names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace coursegate::amqp {

namespace {

// Only a backstop: prefetched messages of a killed consumer count as delivered, attempts are counted by
// x-attempts.
constexpr std::int64_t delivery_limit = 100;
constexpr std::int64_t unheard_kept = 10'000;

constexpr std::array<const char*, 5> delay_names{"1s", "5s", "30s", "2m", "10m"};

arguments quorum()
{
    return {{"x-queue-type", "quorum"}};
}

// At-least-once dead-lettering needs all of these together; without one of them RabbitMQ silently does it at
// most once.
arguments dead_letters_to(const std::string& queue)
{
    auto a = quorum();
    a.emplace_back("x-dead-letter-exchange", "");
    a.emplace_back("x-dead-letter-routing-key", queue);
    a.emplace_back("x-dead-letter-strategy", "at-least-once");
    a.emplace_back("x-overflow", "reject-publish");
    return a;
}

} // namespace

const std::vector<std::chrono::milliseconds>& retry_delays()
{
    using namespace std::chrono_literals;
    static const std::vector<std::chrono::milliseconds> delays{1s, 5s, 30s, 2min, 10min};
    return delays;
}

std::string retry_queue_at(const std::string& full_queue, std::size_t step)
{
    return full_queue + ".retry." + delay_names.at(std::min(step, delay_names.size() - 1));
}

std::string retry_queue(const std::string& full_queue, std::chrono::milliseconds wanted)
{
    const auto& delays = retry_delays();
    const auto at = std::lower_bound(delays.begin(), delays.end(), wanted);
    return retry_queue_at(full_queue, static_cast<std::size_t>(at - delays.begin()));
}

void check_topology(const topology& t)
{
    std::set<std::string> names;
    for (const auto& q : t.queues) {
        if (q.name.empty())
            throw std::runtime_error("topology: a queue has no name");
        if (!names.insert(q.name).second)
            throw std::runtime_error(fmt::format("topology: queue {} is there twice", q.name));
        if (!q.dead_letter_route)
            throw std::runtime_error(fmt::format(
                "topology: queue {} has no dead-letter route: a message it can't handle would be lost or "
                "come back for ever",
                q.name));
        if (q.prefetch < 1 || q.prefetch > 65'535 || q.max_attempts < 1)
            throw std::runtime_error(fmt::format(
                "topology: queue {}: prefetch must be 1 to 65535, max_attempts 1 or more", q.name));
    }
}

void declare_queue(connection& c, const settings& s, const queue& q)
{
    const auto full = full_name(s.prefix, q.name);
    c.declare_queue(dead_queue(full), quorum());
    for (std::size_t step = 0; step < retry_delays().size(); ++step) {
        auto a = dead_letters_to(full);
        a.emplace_back("x-message-ttl", std::int64_t{retry_delays()[step].count()});
        c.declare_queue(retry_queue_at(full, step), a);
    }
    auto a = dead_letters_to(dead_queue(full));
    a.emplace_back("x-delivery-limit", delivery_limit);
    c.declare_queue(full, a);
    for (const auto& key : q.bindings)
        c.bind(full, events_exchange(s.prefix), key);
}

void declare_all(connection& c, const settings& s, const topology& t)
{
    check_topology(t);
    const auto unheard = unheard_exchange(s.prefix);
    c.declare_exchange(unheard, "fanout", {});
    auto a = quorum();
    a.emplace_back("x-max-length", unheard_kept);
    a.emplace_back("x-overflow", "drop-head");
    c.declare_queue(unheard, a);
    c.bind(unheard, unheard, "");
    c.declare_exchange(events_exchange(s.prefix), "topic", {{"alternate-exchange", unheard}});
    for (const auto& q : t.queues)
        declare_queue(c, s, q);
}

void declare(const settings& s, const topology& t)
{
    check_topology(t);
    auto c = connect_to_any(s, "topology");
    declare_all(*c, s, t);
    c->close();
}

void remove(const settings& s, const topology& t)
{
    auto c = connect_to_any(s, "topology");
    for (const auto& q : t.queues) {
        const auto full = full_name(s.prefix, q.name);
        c->delete_queue(full);
        for (std::size_t step = 0; step < retry_delays().size(); ++step)
            c->delete_queue(retry_queue_at(full, step));
        c->delete_queue(dead_queue(full));
    }
    c->delete_exchange(events_exchange(s.prefix));
    c->delete_exchange(unheard_exchange(s.prefix));
    c->delete_queue(unheard_exchange(s.prefix));
    c->close();
}

} // namespace coursegate::amqp
