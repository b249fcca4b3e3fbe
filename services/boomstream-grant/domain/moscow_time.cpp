#include "domain/moscow_time.hpp"

#include <cstdio>

namespace coursegate::boomstream_grant {

namespace {

constexpr std::chrono::hours offset{3};

// Digits only: sscanf would take "+1" and " 1" for a number as well.
std::optional<int> number(std::string_view text)
{
    int out = 0;
    if (text.empty())
        return std::nullopt;
    for (const char c : text) {
        if (c < '0' || c > '9')
            return std::nullopt;
        out = out * 10 + (c - '0');
    }
    return out;
}

base::error not_a_date(std::string_view text)
{
    return base::fail(
        base::errc::malformed, "not a date of the form YYYY-MM-DD HH:MM:SS: '" + std::string(text) + "'");
}

} // namespace

std::string to_moscow(base::time_point t)
{
    using namespace std::chrono;
    const auto local = floor<seconds>(t) + offset;
    const auto day = floor<days>(local);
    const year_month_day date{day};
    const hh_mm_ss time{local - day};
    char out[40];
    std::snprintf(out, sizeof out, "%04d-%02u-%02u %02d:%02d:%02d", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
        static_cast<int>(time.seconds().count()));
    return out;
}

base::result<std::optional<base::time_point>> parse_moscow(std::string_view text)
{
    using namespace std::chrono;
    if (text.empty() || text == "0000-00-00 00:00:00" || text == "0000-00-00")
        return std::optional<base::time_point>{};

    const bool date_only = text.size() == 10;
    if ((!date_only && text.size() != 19) || text[4] != '-' || text[7] != '-')
        return not_a_date(text);
    const auto y = number(text.substr(0, 4));
    const auto m = number(text.substr(5, 2));
    const auto d = number(text.substr(8, 2));
    std::optional<int> hour = 23, minute = 59, second = 59;
    if (!date_only) {
        if ((text[10] != ' ' && text[10] != 'T') || text[13] != ':' || text[16] != ':')
            return not_a_date(text);
        hour = number(text.substr(11, 2));
        minute = number(text.substr(14, 2));
        second = number(text.substr(17, 2));
    }
    if (!y || !m || !d || !hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60)
        return not_a_date(text);
    const year_month_day date{year{*y}, month{static_cast<unsigned>(*m)}, day{static_cast<unsigned>(*d)}};
    if (!date.ok())
        return not_a_date(text);
    const auto local = sys_days{date} + hours{*hour} + minutes{*minute} + seconds{*second};
    return std::optional<base::time_point>{time_point_cast<microseconds>(local - offset)};
}

base::time_point never_ends()
{
    using namespace std::chrono;
    return sys_days{year{2100} / 12 / 12} + hours{23} + minutes{59} + seconds{59} - offset;
}

} // namespace coursegate::boomstream_grant
