// Delivered messages that are not settled yet, and the fewest commands that tell the broker which are.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

namespace coursegate::amqp {

// Tags come without gaps from 1 on each connection. One thread.
class unsettled
{
public:
    struct command
    {
        std::uint64_t tag;
        bool multiple; // this one and everything open before it
        bool requeue;  // else: ack

        bool operator==(const command&) const = default;
    };

    void delivered(std::uint64_t tag);
    void settle(std::uint64_t tag, bool requeue); // a tag that is not open is ignored

    // What to send for everything settled since the last call. An ack is `multiple` only when nothing before
    // it is open, so it can never take a message whose handler still runs.
    std::vector<command> commands();

    std::size_t open() const { return open_; }
    void clear(); // a new connection: old tags mean nothing

private:
    enum class state : char
    {
        open,
        acked, // by the handler, not told to the broker yet
        done,
    };

    std::deque<state> states_;
    std::vector<command> requeued_;
    std::uint64_t first_ = 1;
    std::uint64_t last_acked_ = 0; // the highest tag acked and not told
    std::uint64_t lowest_acked_ = 0;
    std::size_t open_ = 0;
};

} // namespace coursegate::amqp
