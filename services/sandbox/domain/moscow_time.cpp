#include "domain/moscow_time.hpp"

#include "domain/text.hpp"

#include <chrono>
#include <cstdio>

namespace coursegate::sandbox {

namespace {
constexpr std::chrono::hours ahead_of_utc{3};
}

std::string to_moscow(std::optional<base::time_point> t)
{
    if (!t)
        return "0000-00-00 00:00:00";
    const auto local = *t + ahead_of_utc;
    const auto day = std::chrono::floor<std::chrono::days>(local);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss time{std::chrono::floor<std::chrono::seconds>(local - day)};
    char text[32];
    std::snprintf(text, sizeof text, "%04d-%02u-%02u %02d:%02d:%02d", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
        static_cast<int>(time.seconds().count()));
    return text;
}

std::optional<std::optional<base::time_point>> parse_moscow(
    std::string_view text, std::string_view time_of_day)
{
    if (text.empty() || text == "0000-00-00 00:00:00" || text == "0000-00-00")
        return std::optional<base::time_point>{};
    std::string whole(text);
    if (whole.size() == 10)
        whole.append(" ").append(time_of_day);
    if (whole.size() != 19 || whole[4] != '-' || whole[7] != '-' || whole[10] != ' ' || whole[13] != ':' ||
        whole[16] != ':')
        return std::nullopt;
    const auto part = [&](std::size_t at, std::size_t length) {
        return to_integer(std::string_view(whole).substr(at, length));
    };
    const auto year = part(0, 4), month = part(5, 2), day = part(8, 2);
    const auto hour = part(11, 2), minute = part(14, 2), second = part(17, 2);
    if (!year || !month || !day || !hour || !minute || !second)
        return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
        std::chrono::month(static_cast<unsigned>(*month)), std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok() || *hour < 0 || *hour > 23 || *minute < 0 || *minute > 59 || *second < 0 || *second > 59)
        return std::nullopt;
    const auto local = std::chrono::sys_days(date) + std::chrono::hours(*hour) +
                       std::chrono::minutes(*minute) + std::chrono::seconds(*second);
    return std::optional<base::time_point>(base::time_point(local - ahead_of_utc));
}

} // namespace coursegate::sandbox
