#include "pages/days.hpp"

#include <cctz/civil_time.h>
#include <cctz/time_zone.h>

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

cctz::time_zone zone_of(const reader& who)
{
    cctz::time_zone out = cctz::utc_time_zone();
    cctz::load_time_zone(who.time_zone, &out); // one that is unknown here is UTC
    return out;
}

base::time_point begin_of(cctz::civil_second at, const cctz::time_zone& zone)
{
    return std::chrono::time_point_cast<base::duration>(cctz::convert(at, zone));
}

} // namespace

std::vector<base::time_point> last_days(base::time_point now, int count, const reader& who)
{
    const auto zone = zone_of(who);
    const cctz::civil_day today(cctz::convert(now, zone));
    std::vector<base::time_point> out;
    for (int i = count - 1; i >= -1; --i)
        out.push_back(begin_of(cctz::civil_second(today - i), zone));
    return out;
}

std::vector<base::time_point> hours_of_today(base::time_point now, const reader& who)
{
    const auto day = last_days(now, 1, who);
    std::vector<base::time_point> out;
    for (auto at = day[0]; at < day[1]; at += std::chrono::hours(1))
        out.push_back(at);
    out.push_back(day[1]);
    return out;
}

std::string date_of(base::time_point t, const reader& who)
{
    return cctz::format("%Y-%m-%d", t, zone_of(who));
}

std::string hour_of(base::time_point t, const reader& who)
{
    return cctz::format("%H", t, zone_of(who));
}

std::string clock_of(base::time_point t, const reader& who)
{
    return cctz::format("%Y-%m-%d %H:%M:%S", t, zone_of(who));
}

std::optional<span_of_time> day_named(std::string_view date, const reader& who)
{
    const auto is_date =
        date.size() == 10 && std::count(date.begin(), date.end(), '-') == 2 &&
        std::all_of(date.begin(), date.end(), [](char c) { return c == '-' || (c >= '0' && c <= '9'); });
    std::chrono::time_point<std::chrono::system_clock, cctz::seconds> parsed;
    if (!is_date || !cctz::parse("%Y-%m-%d", std::string(date), cctz::utc_time_zone(), &parsed))
        return std::nullopt;
    const cctz::civil_day day(cctz::convert(parsed, cctz::utc_time_zone()));
    const auto zone = zone_of(who);
    span_of_time out;
    out.from = begin_of(cctz::civil_second(day), zone);
    out.to = begin_of(cctz::civil_second(day + 1), zone);
    return out;
}

std::string how_long(base::duration d, const pages& words, const reader& who)
{
    const auto ms = std::max<std::int64_t>(0, std::chrono::round<std::chrono::milliseconds>(d).count());
    const auto say_it = [&](std::string_view unit, std::string n) {
        return words.text(who.language, unit, {{"n", std::move(n)}});
    };
    if (ms < 1000)
        return say_it(say("{n} ms"), std::to_string(ms));
    if (ms < 9'950) {
        const auto tenths = (ms + 50) / 100;
        return say_it(say("{n} s"),
            std::to_string(tenths / 10) + (who.language == "en" ? "." : ",") + std::to_string(tenths % 10));
    }
    const auto seconds = (ms + 500) / 1000;
    if (seconds < 120)
        return say_it(say("{n} s"), std::to_string(seconds));
    if (seconds < 120 * 60)
        return say_it(say("{n} min"), std::to_string((seconds + 30) / 60));
    return say_it(say("{n} h"), whole_number((seconds + 1800) / 3600, who.language));
}

} // namespace coursegate::web_gateway
