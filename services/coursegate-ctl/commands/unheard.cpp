#include "commands/unheard.hpp"

#include <nlohmann/json.hpp>

#include <set>

namespace coursegate::ctl {
namespace {

// "lesson_passed.v1" from the body's dataschema (urn:coursegate:event:lesson_passed:v1): the broker does not
// tell the routing key of a message that is looked at. Empty for what is no event of ours.
std::string routing_key_of(const amqp::parked_message& m)
{
    constexpr std::string_view schema = "urn:coursegate:event:";
    const auto body = nlohmann::json::parse(m.body, nullptr, false);
    const auto found = body.is_object() ? body.find("dataschema") : body.end();
    if (found == body.end() || !found->is_string())
        return {};
    auto name = found->get<std::string>();
    if (!name.starts_with(schema))
        return {};
    name.erase(0, schema.size());
    if (const auto colon = name.rfind(':'); colon != std::string::npos)
        name[colon] = '.';
    return name;
}

} // namespace

std::map<std::string, int> missed_by_listeners(
    const std::vector<amqp::parked_message>& unheard, const amqp::topology& t)
{
    std::set<std::string> listened_to;
    for (const auto& q : t.queues)
        listened_to.insert(q.bindings.begin(), q.bindings.end());
    std::map<std::string, int> out;
    for (const auto& m : unheard)
        if (const auto key = routing_key_of(m); listened_to.contains(key))
            ++out[key];
    return out;
}

} // namespace coursegate::ctl
