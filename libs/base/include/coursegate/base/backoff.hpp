// How long to wait before the next try: exponential with full jitter, so that many instances that lost the
// same server do not come back at the same moment.
#pragma once

#include <chrono>

namespace coursegate::base {

class backoff
{
public:
    struct limits
    {
        std::chrono::milliseconds first{200};
        std::chrono::milliseconds longest{10'000};
    };

    backoff() = default;
    explicit backoff(limits l) : limits_(l) {}

    std::chrono::milliseconds next(); // between half the step and the step; the step doubles up to `longest`
    void reset() { failures_ = 0; }
    int failures() const { return failures_; }

private:
    limits limits_;
    int failures_ = 0;
};

} // namespace coursegate::base
