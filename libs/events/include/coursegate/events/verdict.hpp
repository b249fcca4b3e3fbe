// What a handler decides about a message, once and for every message.
#pragma once

#include <chrono>
#include <string>

namespace coursegate::events {

class verdict
{
public:
    enum class kind
    {
        ack,         // done (or nothing to do)
        retry,       // try again after `delay`; counts as an attempt
        dead_letter, // give up: park it with `reason`
        postpone,    // hand back after `delay` without counting an attempt (our own dependency is down)
    };

    static verdict ack() { return verdict{kind::ack, {}, {}}; }
    static verdict retry(std::chrono::milliseconds delay, std::string reason)
    {
        return verdict{kind::retry, delay, std::move(reason)};
    }
    static verdict dead_letter(std::string reason)
    {
        return verdict{kind::dead_letter, {}, std::move(reason)};
    }
    static verdict postpone(std::chrono::milliseconds delay, std::string reason)
    {
        return verdict{kind::postpone, delay, std::move(reason)};
    }

    kind what() const { return kind_; }
    std::chrono::milliseconds delay() const { return delay_; }
    const std::string& reason() const { return reason_; }

private:
    verdict(kind k, std::chrono::milliseconds d, std::string r) : kind_(k), delay_(d), reason_(std::move(r))
    {}

    kind kind_;
    std::chrono::milliseconds delay_;
    std::string reason_;
};

} // namespace coursegate::events
