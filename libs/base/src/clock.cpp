#include "coursegate/base/clock.hpp"

#include <cstdint>

namespace coursegate::base {

namespace {

class machine_clock final : public clock
{
public:
    time_point now() const override
    {
        return std::chrono::time_point_cast<duration>(std::chrono::system_clock::now());
    }
};

void put(char* at, int digits, std::int64_t value)
{
    for (int i = digits - 1; i >= 0; --i) {
        at[i] = static_cast<char>('0' + value % 10);
        value /= 10;
    }
}

// Reads exactly `digits` decimal digits; -1 when there is something else.
int take(std::string_view& text, std::size_t digits)
{
    if (text.size() < digits)
        return -1;
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(digits);
    return value;
}

bool skip(std::string_view& text, char c)
{
    if (text.empty() || text.front() != c)
        return false;
    text.remove_prefix(1);
    return true;
}

error not_a_time(std::string_view text)
{
    return fail(
        errc::malformed, "not a time like 2026-01-02T03:04:05.678Z: " + std::string(text.substr(0, 40)));
}

} // namespace

const clock& system_clock()
{
    static const machine_clock instance;
    return instance;
}

time_point now()
{
    return system_clock().now();
}

std::string to_iso8601(time_point t)
{
    const auto day = std::chrono::floor<std::chrono::days>(t);
    const std::chrono::year_month_day date{day};
    const auto micros = (t - day).count();
    const auto seconds = micros / 1'000'000;
    std::string out = "0000-00-00T00:00:00.000000Z";
    put(out.data(), 4, static_cast<int>(date.year()));
    put(out.data() + 5, 2, static_cast<unsigned>(date.month()));
    put(out.data() + 8, 2, static_cast<unsigned>(date.day()));
    put(out.data() + 11, 2, seconds / 3600);
    put(out.data() + 14, 2, seconds / 60 % 60);
    put(out.data() + 17, 2, seconds % 60);
    put(out.data() + 20, 6, micros % 1'000'000);
    return out;
}

result<time_point> parse_iso8601(std::string_view text)
{
    const auto whole = text;
    const int year = take(text, 4);
    if (year < 0 || !skip(text, '-'))
        return not_a_time(whole);
    const int month = take(text, 2);
    if (month < 0 || !skip(text, '-'))
        return not_a_time(whole);
    const int day = take(text, 2);
    if (day < 0 || !skip(text, 'T'))
        return not_a_time(whole);
    const int hour = take(text, 2);
    if (hour < 0 || !skip(text, ':'))
        return not_a_time(whole);
    const int minute = take(text, 2);
    if (minute < 0 || !skip(text, ':'))
        return not_a_time(whole);
    const int second = take(text, 2);
    const std::chrono::year_month_day date{std::chrono::year{year},
        std::chrono::month(static_cast<unsigned>(month)), std::chrono::day(static_cast<unsigned>(day))};
    if (second < 0 || !date.ok() || hour > 23 || minute > 59 || second > 59)
        return not_a_time(whole);

    std::int64_t micros = 0;
    if (skip(text, '.')) {
        int digits = 0;
        for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
            if (++digits <= 6) // what is finer than a microsecond is cut off
                micros = micros * 10 + (text.front() - '0');
        }
        if (digits > 9)
            return not_a_time(whole);
        for (; digits < 6; ++digits)
            micros *= 10;
    }

    int offset = 0; // minutes east of UTC
    if (!skip(text, 'Z')) {
        const int sign = skip(text, '+') ? 1 : skip(text, '-') ? -1 : 0;
        const int hours = take(text, 2);
        if (sign == 0 || hours < 0 || hours > 23 || !skip(text, ':'))
            return not_a_time(whole);
        const int minutes = take(text, 2);
        if (minutes < 0 || minutes > 59)
            return not_a_time(whole);
        offset = sign * (hours * 60 + minutes);
    }
    if (!text.empty())
        return not_a_time(whole);
    return time_point{std::chrono::sys_days{date}} + std::chrono::hours{hour} +
           std::chrono::minutes{minute - offset} + std::chrono::seconds{second} +
           std::chrono::microseconds{micros};
}

} // namespace coursegate::base
