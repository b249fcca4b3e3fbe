#include "unsettled.hpp"

#include <algorithm>
#include <utility>

namespace coursegate::amqp {

void unsettled::delivered(std::uint64_t tag)
{
    if (states_.empty())
        first_ = tag;
    while (first_ + states_.size() < tag)
        states_.push_back(state::done); // never happens with one channel; a gap must not shift the rest
    states_.push_back(state::open);
    ++open_;
}

void unsettled::settle(std::uint64_t tag, bool requeue)
{
    if (tag < first_ || tag >= first_ + states_.size())
        return;
    auto& s = states_[static_cast<std::size_t>(tag - first_)];
    if (s != state::open)
        return;
    --open_;
    if (requeue) {
        s = state::done;
        requeued_.push_back({tag, false, true});
        return;
    }
    s = state::acked;
    last_acked_ = std::max(last_acked_, tag);
    lowest_acked_ = lowest_acked_ == 0 ? tag : std::min(lowest_acked_, tag);
}

std::vector<unsettled::command> unsettled::commands()
{
    // Requeues first: a multiple ack after them covers only what is left.
    auto out = std::exchange(requeued_, {});

    std::uint64_t last = 0;
    std::size_t count = 0;
    while (!states_.empty() && states_.front() != state::open) {
        if (states_.front() == state::acked) {
            last = first_;
            ++count;
        }
        states_.pop_front();
        ++first_;
    }
    if (count > 0)
        out.push_back({last, count > 1, false});

    // Behind an open one: one by one, so that a slow handler does not hold up the prefetch of the others.
    for (auto tag = std::max(lowest_acked_, first_); tag <= last_acked_ && lowest_acked_ != 0; ++tag) {
        auto& s = states_[static_cast<std::size_t>(tag - first_)];
        if (s != state::acked)
            continue;
        s = state::done;
        out.push_back({tag, false, false});
    }
    last_acked_ = 0;
    lowest_acked_ = 0;
    return out;
}

void unsettled::clear()
{
    *this = unsettled{};
}

} // namespace coursegate::amqp
