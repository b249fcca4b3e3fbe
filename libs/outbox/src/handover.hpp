// The short way from add() to the relay of the same process: rows are inserted already claimed in the relay's
// name, and after COMMIT they go to it in memory, so that a new event costs no claim of its own.
//
// Crash between COMMIT and the broker's confirm: the claim runs out, or the next relay on this host sees that
// its owner is dead, and the rows are sent from the table. A COMMIT in doubt hands nothing over: should it
// have happened, the claim runs out.
#pragma once

#include "coursegate/events/publisher.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::outbox {

struct handed_row
{
    std::int64_t id = 0; // in the outbox table
    events::outgoing message;
    std::chrono::steady_clock::time_point since{};
};

struct claim_terms
{
    std::string name; // claimed_by
    std::chrono::milliseconds lasts{};
};

// Any thread.
class handover
{
public:
    // `wake` is called from any thread when rows have come.
    handover(claim_terms terms, std::size_t most, std::function<void()> wake)
        : terms_(std::move(terms)), most_(most), wake_(std::move(wake))
    {}

    // How to claim `rows` new ones; nothing when the relay does not run, has enough to do, or has no broker:
    // then they are left to whoever claims them.
    std::optional<claim_terms> offer(std::size_t rows) const
    {
        const std::lock_guard lock(mutex_);
        if (!open_ || waiting_.size() + rows > most_)
            return std::nullopt;
        return terms_;
    }

    void put(std::vector<handed_row> rows)
    {
        {
            const std::lock_guard lock(mutex_);
            for (auto& row : rows)
                waiting_.push_back(std::move(row));
        }
        wake_();
    }

    std::vector<handed_row> take(std::size_t most)
    {
        std::vector<handed_row> out;
        const std::lock_guard lock(mutex_);
        while (!waiting_.empty() && out.size() < most) {
            out.push_back(std::move(waiting_.front()));
            waiting_.pop_front();
        }
        return out;
    }

    bool empty() const
    {
        const std::lock_guard lock(mutex_);
        return waiting_.empty();
    }

    void open(bool is_open)
    {
        const std::lock_guard lock(mutex_);
        open_ = is_open;
    }

    const claim_terms& terms() const { return terms_; }

private:
    const claim_terms terms_;
    const std::size_t most_;
    const std::function<void()> wake_;
    mutable std::mutex mutex_;
    std::deque<handed_row> waiting_;
    bool open_ = false;
};

} // namespace coursegate::outbox
