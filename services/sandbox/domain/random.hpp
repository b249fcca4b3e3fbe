// Random numbers that come out the same for the same seed on every machine (SplitMix64).
#pragma once

#include <cstdint>
#include <string>

namespace coursegate::sandbox {

class seeded_random
{
public:
    explicit seeded_random(std::uint64_t seed = 1) : state_(seed) {}

    std::uint64_t next()
    {
        state_ += 0x9E3779B97F4A7C15ULL;
        auto z = state_;
        z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31U);
    }
    double share() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; } // [0, 1)

    std::string digits(int count)
    {
        std::string out;
        for (int i = 0; i < count; ++i)
            out += static_cast<char>('0' + static_cast<int>(next() % 10));
        return out;
    }

private:
    std::uint64_t state_;
};

} // namespace coursegate::sandbox
