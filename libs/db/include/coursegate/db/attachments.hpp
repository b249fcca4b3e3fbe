// What the transactions of a pool find by its type without knowing where it lives: the outbox's relay.
#pragma once

#include <memory>
#include <mutex>
#include <typeindex>
#include <unordered_map>

namespace coursegate::db {

// Any thread.
class attachments
{
public:
    void put(std::type_index type, std::weak_ptr<void> what)
    {
        const std::lock_guard lock(mutex_);
        all_[type] = std::move(what);
    }

    std::shared_ptr<void> find(std::type_index type) const
    {
        const std::lock_guard lock(mutex_);
        const auto found = all_.find(type);
        return found == all_.end() ? nullptr : found->second.lock();
    }

private:
    mutable std::mutex mutex_;
    std::unordered_map<std::type_index, std::weak_ptr<void>> all_;
};

} // namespace coursegate::db
