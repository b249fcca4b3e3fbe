// dead: what is parked, why, and the way back. A redrive says what it will do first and does it only with
// --yes.
#include "commands/dead.hpp"

#include "commands/command.hpp"

#include "coursegate/amqp/inspect.hpp"
#include "coursegate/runtime/settings.hpp"
#include "coursegate/slices/slices.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace coursegate::ctl {
namespace {

std::string header(const amqp::parked_message& m, const std::string& name)
{
    const auto found = m.headers.find(name);
    return found == m.headers.end() ? std::string{} : found->second;
}

} // namespace

std::string queue_of(const std::string& word, const std::string& prefix)
{
    std::string name = word;
    if (name.starts_with(prefix + "."))
        name = name.substr(prefix.size() + 1);
    if (name.ends_with(".dead"))
        name = name.substr(0, name.size() - 5);
    for (const auto& q : slices::whole_topology().queues)
        if (q.name == name)
            return name;
    std::string known;
    for (const auto& q : slices::whole_topology().queues)
        known += "\n  " + q.name;
    throw usage_error(fmt::format("there is no queue '{}'; the queues are:{}", word, known));
}

namespace {

// How many to look at: all of them when single ones are searched for.
std::size_t reach(
    amqp::inspector& broker, const std::string& queue, const std::set<std::string>& ids, std::int64_t limit)
{
    return static_cast<std::size_t>(ids.empty() ? limit : broker.depth(queue).value_or(0));
}

int list(amqp::inspector& broker, const amqp::settings& settings)
{
    std::uint64_t total = 0;
    for (const auto& q : slices::whole_topology().queues) {
        const auto name = fmt::format("{}.{}.dead", settings.prefix, q.name);
        const auto depth = broker.depth(name);
        if (!depth.has_value() || *depth == 0)
            continue;
        total += *depth;
        std::map<std::string, int> reasons;
        for (const auto& m : broker.peek(name, 200))
            ++reasons[amqp::reason_of(m)];
        fmt::print("{:<32} {}\n", q.name, *depth);
        for (const auto& [why, count] : reasons)
            fmt::print("    {:>5} × {}\n", count, why);
    }
    if (total == 0)
        fmt::print("nothing is parked\n");
    else
        fmt::print("{} parked in all\n", total);
    return 0;
}

int show(amqp::inspector& broker, const amqp::settings& settings, const std::string& queue,
    const std::set<std::string>& ids, std::int64_t limit)
{
    const auto from = fmt::format("{}.{}.dead", settings.prefix, queue);
    const auto parked = broker.depth(from).value_or(0);
    std::int64_t shown = 0;
    for (const auto& m : broker.peek(from, reach(broker, from, ids, limit))) {
        if (!ids.empty() && !ids.contains(m.message_id))
            continue;
        if (shown == limit)
            break;
        ++shown;
        fmt::print("{}  {}\n  reason    {}\n", m.message_id, m.type, amqp::reason_of(m));
        for (const auto* name : {"x-handler", "x-attempts", "x-first-error", "x-last-error",
                 "x-first-failed-at", "x-origin-user", "x-death"})
            if (const auto text = header(m, name); !text.empty())
                fmt::print("  {:<9} {}\n", std::string(name).substr(2), text);
        fmt::print("  body      {}\n", m.body);
    }
    fmt::print("{} of {} shown\n", shown, parked);
    return shown == 0 && !ids.empty() ? 1 : 0;
}

int redrive(amqp::inspector& broker, const amqp::settings& settings, const std::string& queue,
    const std::set<std::string>& ids, std::int64_t limit, bool really)
{
    const auto from = fmt::format("{}.{}.dead", settings.prefix, queue);
    const auto to = fmt::format("{}.{}", settings.prefix, queue);
    const auto chosen = [&](const amqp::parked_message& m) {
        return ids.empty() || ids.contains(m.message_id);
    };

    std::map<std::string, int> plan;
    std::size_t count = 0;
    const auto seen = broker.peek(from, reach(broker, from, ids, limit));
    for (const auto& m : seen) {
        if (!chosen(m))
            continue;
        ++count;
        ++plan[fmt::format("{} ({})", m.type, amqp::reason_of(m))];
    }
    if (count == 0) {
        fmt::print("nothing to push back in {}\n", from);
        return ids.empty() ? 0 : 1;
    }
    fmt::print("{} message{} would go from {} back to {}, attempts counted from 0 again:\n", count,
        count == 1 ? "" : "s", from, to);
    for (const auto& [what, n] : plan)
        fmt::print("    {:>5} × {}\n", n, what);
    if (!really) {
        fmt::print("nothing was done; say it again with --yes to do it\n");
        return 0;
    }
    // no more than were seen: a message that is parked again at once must not go round and round
    const auto moved = broker.move(from, to, seen.size(), chosen);
    fmt::print("{} pushed back\n", moved);
    return moved == count ? 0 : 1;
}

} // namespace

int run_dead(runtime::environment& env, const std::vector<std::string>& words)
{
    const arguments args{words, {"--id", "--limit"}, {"--yes"}};
    const auto& pos = args.positional();
    const bool takes_queue = !pos.empty() && (pos[0] == "show" || pos[0] == "redrive");
    if (pos.empty() || (pos[0] != "list" && !takes_queue) || pos.size() != (takes_queue ? 2u : 1u))
        throw usage_error("say list, show QUEUE or redrive QUEUE");
    const auto limit = args.number("--limit", pos[0] == "show" ? 20 : 1000, 1);
    const auto named = args.values("--id");
    const std::set<std::string> ids(named.begin(), named.end());
    const auto settings = runtime::read_broker(env, "coursegate-ctl");
    env.finish();

    const auto queue = takes_queue ? queue_of(pos[1], settings.prefix) : std::string{};
    amqp::inspector broker{settings};
    if (pos[0] == "list")
        return list(broker, settings);
    if (pos[0] == "show")
        return show(broker, settings, queue, ids, limit);
    return redrive(broker, settings, queue, ids, limit, args.has("--yes"));
}

} // namespace coursegate::ctl
