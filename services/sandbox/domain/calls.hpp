// Who called what and what they got: counters, the busiest second, and the latest calls in words.
#pragma once

#include "coursegate/base/clock.hpp"
#include "domain/faults.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

namespace coursegate::sandbox {

// "/api/lessons/1852228" → "/api/lessons/{id}": what counters and recent calls know a path by.
std::string path_pattern(std::string_view path);

struct call
{
    sandbox::target target = sandbox::target::stepik;
    std::string method;
    std::string path;    // pattern
    std::string detail;  // what it was about, never with a key or a code in it
    int status = 0;      // 0: no answer
    std::string fault;   // the fault played, empty without
    bool failed = false; // Boomstream: Status Failed
    base::time_point at{};
    std::int64_t micros = 0; // until the answer was handed over
};

class call_book
{
public:
    // A call arrives. False: over `per_second` calls within the last second (0: no limit).
    bool begin(target t, base::time_point now, int per_second);
    void end(call c);
    void clear();

    struct key
    {
        sandbox::target target;
        std::string path;
        int status;
        std::string fault;
        auto operator<=>(const key&) const = default;
    };
    struct tally
    {
        std::int64_t calls = 0;
        std::int64_t failed = 0; // Boomstream: with Status Failed
    };
    const std::map<key, tally>& tallies() const { return tallies_; }
    std::int64_t total(target t) const;
    const std::deque<call>& recent() const { return recent_; } // newest first

    struct load
    {
        int in_flight = 0;
        int most_in_flight = 0;
        int most_per_second = 0; // in any window of one second
    };
    const load& load_of(target t) const { return meters_[static_cast<std::size_t>(t)].load; }

private:
    struct meter
    {
        sandbox::call_book::load load;
        std::deque<base::time_point> last_second;
    };
    std::map<key, tally> tallies_;
    std::deque<call> recent_;
    std::array<meter, targets.size()> meters_{};
};

} // namespace coursegate::sandbox
