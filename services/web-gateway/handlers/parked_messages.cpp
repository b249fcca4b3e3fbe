#include "handlers/parked_messages.hpp"

#include "coursegate/slices/slices.hpp"

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

std::string header(const amqp::parked_message& m, const char* name)
{
    const auto found = m.headers.find(name);
    return found == m.headers.end() ? std::string() : found->second;
}

std::string full_name(const amqp::settings& broker, const std::string& queue)
{
    return broker.prefix + "." + queue;
}

} // namespace

parked_messages::parked_messages(amqp::settings s, async::workers& threads)
    : broker_(std::move(s)), threads_(threads)
{}

bool parked_messages::is_queue(const std::string& queue)
{
    const auto all = slices::whole_topology().queues;
    return std::any_of(all.begin(), all.end(), [&](const amqp::queue& q) { return q.name == queue; });
}

async::task<std::vector<parked_queue>> parked_messages::list()
{
    const auto look = [broker = broker_] {
        std::vector<parked_queue> out;
        amqp::inspector inside(broker);
        for (const auto& q : slices::whole_topology().queues) {
            const auto depth = inside.depth(full_name(broker, q.name) + ".dead").value_or(0);
            if (depth > 0)
                out.push_back({q.name, static_cast<std::size_t>(depth)});
        }
        return out;
    };
    co_return co_await threads_.run(look);
}

async::task<std::vector<parked_preview>> parked_messages::preview(std::string queue, std::size_t most)
{
    const auto look = [broker = broker_, queue, most] {
        std::vector<parked_preview> out;
        amqp::inspector inside(broker);
        for (auto& m : inside.peek(full_name(broker, queue) + ".dead", most)) {
            parked_preview p;
            p.message_id = m.message_id;
            p.type = m.type;
            p.reason = amqp::reason_of(m);
            p.handler = header(m, "x-handler");
            p.error = header(m, "x-last-error");
            p.failed_at = header(m, "x-first-failed-at");
            p.body = std::move(m.body);
            out.push_back(std::move(p));
        }
        return out;
    };
    co_return co_await threads_.run(look);
}

async::task<std::size_t> parked_messages::redrive(
    std::string queue, std::set<std::string> message_ids, std::size_t most)
{
    const auto work = [broker = broker_, queue, ids = std::move(message_ids), most] {
        amqp::inspector inside(broker);
        const auto to = full_name(broker, queue);
        // No more than there are now: one that is parked again at once must not go round and round.
        const auto there = static_cast<std::size_t>(inside.depth(to + ".dead").value_or(0));
        return inside.move(to + ".dead", to, std::min(there, most),
            [&](const amqp::parked_message& m) { return ids.empty() || ids.contains(m.message_id); });
    };
    co_return co_await threads_.run(work);
}

} // namespace coursegate::web_gateway
