// Messages on the way to the broker, by the number their confirm will carry: a sliding window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

namespace coursegate::amqp {

// Tags count from 1 on each connection. One thread.
template <class T>
class window
{
public:
    explicit window(std::size_t limit) : limit_(limit) {}

    // Open messages; also full when one that the broker does not confirm holds up a long row of confirmed
    // ones.
    bool full() const { return open_ >= limit_ || slots_.size() >= 4 * limit_; }
    bool empty() const { return open_ == 0; }
    std::size_t size() const { return open_; }

    std::uint64_t push(T value) // its tag
    {
        slots_.push_back({std::move(value), true});
        ++open_;
        return first_ + slots_.size() - 1;
    }

    // Calls done(T&) for the open message `tag`, or with `multiple` for all up to it. A tag that is not open
    // is ignored.
    template <class F>
    void settle(std::uint64_t tag, bool multiple, F done)
    {
        if (tag < first_ || tag >= first_ + slots_.size())
            return;
        const std::size_t last = static_cast<std::size_t>(tag - first_);
        for (std::size_t i = multiple ? 0 : last; i <= last; ++i)
            close(slots_[i], done);
        trim();
    }

    // The open message that waits longest. Not empty.
    T& oldest() { return slots_.front().value; }
    const T& oldest() const { return slots_.front().value; }
    T& newest() { return slots_.back().value; } // the one pushed last

    // The first open message for which found(T&) is true, or nullptr.
    template <class F>
    T* find(F found)
    {
        for (auto& s : slots_)
            if (s.open && found(s.value))
                return &s.value;
        return nullptr;
    }

    // A new connection counts from 1 again: done(T&) for everything open.
    template <class F>
    void clear(F done)
    {
        for (auto& s : slots_)
            close(s, done);
        slots_.clear();
        first_ = 1;
    }

private:
    struct slot
    {
        T value;
        bool open;
    };

    template <class F>
    void close(slot& s, F& done)
    {
        if (!s.open)
            return;
        s.open = false;
        --open_;
        done(s.value);
        s.value = T{};
    }

    void trim()
    {
        while (!slots_.empty() && !slots_.front().open) {
            slots_.pop_front();
            ++first_;
        }
    }

    std::size_t limit_;
    std::deque<slot> slots_;
    std::uint64_t first_ = 1;
    std::size_t open_ = 0;
};

} // namespace coursegate::amqp
