#include "coursegate/amqp/inspect.hpp"

#include "connection.hpp"
#include "copies.hpp"
#include "names.hpp"

#include "coursegate/base/clock.hpp"

#include <fmt/format.h>

namespace coursegate::amqp {

namespace {

parked_message as_parked(message m)
{
    parked_message out;
    out.message_id = std::move(m.props.message_id);
    out.type = std::move(m.props.type);
    out.correlation_id = std::move(m.props.correlation_id);
    out.content_type = std::move(m.props.content_type);
    out.headers = std::move(m.props.headers);
    out.body = std::move(m.body);
    return out;
}

// One message in flight at a time: the tools that use this move dozens, not thousands a second.
struct one_confirm final : incoming
{
    bool returned = false;
    bool settled = false;
    bool accepted = false;

    void on_return(message) override { returned = true; }
    void on_confirm(std::uint64_t, bool, bool yes) override
    {
        settled = true;
        accepted = yes;
    }
};

} // namespace

std::string reason_of(const parked_message& m)
{
    const auto header = [&](const char* name) {
        const auto found = m.headers.find(name);
        return found == m.headers.end() ? std::string() : found->second;
    };
    if (auto ours = header("x-reason"); !ours.empty())
        return ours;
    if (const auto theirs = header("x-first-death-reason"); !theirs.empty())
        return "broker: " + theirs;
    return "unknown";
}

struct inspector::impl
{
    explicit impl(const settings& s) : configuration(s), link(connect_to_any(s, "inspector"))
    {
        link->confirm_select();
    }

    settings configuration;
    std::unique_ptr<connection> link;
    wake_up nobody; // only to wait on the socket with a limit

    // True: confirmed and in a queue. Throws base::dependency_down when no answer comes in time.
    bool publish(const std::string& exchange, const std::string& routing_key, const copy& c)
    {
        properties p;
        p.content_type = c.content_type;
        p.message_id = c.message_id;
        p.type = c.type;
        p.correlation_id = c.correlation_id;
        p.headers = c.headers;
        p.user_id = link->user();
        p.timestamp =
            std::chrono::duration_cast<std::chrono::seconds>(base::now().time_since_epoch()).count();

        one_confirm answer;
        const auto deadline = std::chrono::steady_clock::now() + configuration.confirm_deadline;
        link->publish(exchange, routing_key, p, c.body);
        for (;;) {
            link->drain(answer);
            if (answer.settled)
                return answer.accepted && !answer.returned;
            const auto left = deadline - std::chrono::steady_clock::now();
            if (left <= left.zero())
                throw connection_lost("RabbitMQ has not confirmed a message in time");
            wait_for_work(link->fd(), false, nobody,
                std::min(std::chrono::ceil<std::chrono::milliseconds>(left), link->heartbeat() / 2));
        }
    }
};

inspector::inspector(const settings& s) : impl_(std::make_unique<impl>(s)) {}

inspector::~inspector() = default; // messages taken and not acked go back to their queue

std::optional<std::uint64_t> inspector::depth(const std::string& queue)
{
    return impl_->link->ready(queue);
}

std::vector<parked_message> inspector::peek(const std::string& queue, std::size_t limit)
{
    std::vector<parked_message> out;
    std::uint64_t last = 0;
    while (out.size() < limit) {
        auto m = impl_->link->get(queue);
        if (!m)
            break;
        last = m->tag;
        out.push_back(as_parked(std::move(*m)));
    }
    if (last != 0)
        impl_->link->requeue(last, true);
    return out;
}

std::size_t inspector::move(const std::string& from, const std::string& to, std::size_t limit,
    const std::function<bool(const parked_message&)>& decide)
{
    std::size_t moved = 0;
    std::vector<std::uint64_t> kept; // handed back at the end: before it they would only be given to us again
    for (std::size_t seen = 0; seen < limit; ++seen) {
        auto m = impl_->link->get(from);
        if (!m)
            break;
        if (!decide(as_parked(*m))) {
            kept.push_back(m->tag);
            continue;
        }
        if (!impl_->publish("", to, fresh_copy(*m, to)))
            throw std::runtime_error(
                fmt::format("RabbitMQ did not take a copy for queue {}; {} moved so far", to, moved));
        impl_->link->ack(m->tag, false);
        ++moved;
    }
    for (const auto tag : kept)
        impl_->link->requeue(tag, false);
    return moved;
}

std::vector<parked_message> inspector::drain(const std::string& queue, std::size_t limit)
{
    std::vector<parked_message> out;
    std::uint64_t last = 0;
    while (out.size() < limit) {
        auto m = impl_->link->get(queue);
        if (!m)
            break;
        last = m->tag;
        out.push_back(as_parked(std::move(*m)));
    }
    if (last != 0)
        impl_->link->ack(last, true);
    return out;
}

bool inspector::publish(const std::string& routing_key, const copy& c)
{
    return impl_->publish(events_exchange(impl_->configuration.prefix), routing_key, c);
}

} // namespace coursegate::amqp
