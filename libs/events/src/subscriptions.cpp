#include "coursegate/events/subscriptions.hpp"

#include <stdexcept>

namespace coursegate::events {

namespace {

const std::string any_type = "*";

std::string key_of(const std::string& type, int version)
{
    return type + ".v" + std::to_string(version);
}

} // namespace

void subscriptions::on_any(std::string queue, std::string handler_name, raw_handler handler)
{
    auto& handlers = by_queue_[queue];
    const bool added =
        handlers.try_emplace(any_type, entry{std::move(handler_name), std::move(handler)}).second;
    if (!added)
        throw std::logic_error("queue " + queue + " has two handlers for all its events");
}

void subscriptions::add(
    std::string queue, std::string type, int version, std::string handler_name, raw_handler handler)
{
    auto& handlers = by_queue_[queue];
    const auto key = key_of(type, version);
    const bool added = handlers.try_emplace(key, entry{std::move(handler_name), std::move(handler)}).second;
    if (!added)
        throw std::logic_error("queue " + queue + " has two handlers for " + key);
}

const subscriptions::entry* subscriptions::find(
    const std::string& queue, const std::string& type, int version) const
{
    const auto handlers = by_queue_.find(queue);
    if (handlers == by_queue_.end())
        return nullptr;
    auto at = handlers->second.find(key_of(type, version));
    if (at == handlers->second.end())
        at = handlers->second.find(any_type);
    return at == handlers->second.end() ? nullptr : &at->second;
}

std::vector<std::string> subscriptions::queues() const
{
    std::vector<std::string> names;
    names.reserve(by_queue_.size());
    for (const auto& [queue, handlers] : by_queue_)
        names.push_back(queue);
    return names;
}

} // namespace coursegate::events
