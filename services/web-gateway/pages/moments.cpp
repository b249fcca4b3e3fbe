// Times in the reader's zone and words. Zones come from the system's tzdata by way of cctz: the C library
// knows only the one zone of the process, and g++ 12 has no std::chrono::time_zone.
#include "pages/pages.hpp"

#include <cctz/civil_time.h>
#include <cctz/time_zone.h>

namespace coursegate::web_gateway {
namespace {

// One that is unknown here (or to this machine's tzdata) is UTC, and said to be.
cctz::time_zone zone_of(const reader& who, bool& is_utc)
{
    cctz::time_zone out = cctz::utc_time_zone();
    is_utc = who.time_zone == "UTC" || !cctz::load_time_zone(who.time_zone, &out);
    return out;
}

std::string_view month_of(int month)
{
    switch (month) {
    case 1:
        return say("{day} January");
    case 2:
        return say("{day} February");
    case 3:
        return say("{day} March");
    case 4:
        return say("{day} April");
    case 5:
        return say("{day} May");
    case 6:
        return say("{day} June");
    case 7:
        return say("{day} July");
    case 8:
        return say("{day} August");
    case 9:
        return say("{day} September");
    case 10:
        return say("{day} October");
    case 11:
        return say("{day} November");
    default:
        return say("{day} December");
    }
}

std::string two_digits(int n)
{
    return (n < 10 ? "0" : "") + std::to_string(n);
}

} // namespace

std::string pages::day(base::time_point t, const reader& who) const
{
    bool is_utc = false;
    const auto at = cctz::convert(t, zone_of(who, is_utc));
    return text(who.language, say("{day} {year}"),
        {{"day", text(who.language, month_of(at.month()), {{"day", std::to_string(at.day())}})},
            {"year", std::to_string(at.year())}});
}

std::string pages::moment(base::time_point t, base::time_point now, const reader& who) const
{
    bool is_utc = false;
    const auto zone = zone_of(who, is_utc);
    const auto at = cctz::convert(t, zone);
    const auto today = cctz::civil_day(cctz::convert(now, zone));
    auto time = two_digits(at.hour()) + ":" + two_digits(at.minute());
    if (is_utc)
        time += " UTC";
    if (cctz::civil_day(at) == today)
        return text(who.language, say("today at {time}"), {{"time", time}});
    if (cctz::civil_day(at) == today - 1)
        return text(who.language, say("yesterday at {time}"), {{"time", time}});
    const auto date = at.year() == today.year()
                          ? text(who.language, month_of(at.month()), {{"day", std::to_string(at.day())}})
                          : day(t, who);
    return text(who.language, say("{date} at {time}"), {{"date", date}, {"time", time}});
}

std::string pages::ago(base::time_point t, base::time_point now, const reader& who) const
{
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now - t).count();
    if (seconds < 10)
        return text(who.language, say("just now"));
    if (seconds < 60)
        return text(who.language, say("{n} second ago"), say("{n} seconds ago"), seconds);
    if (seconds < 3600)
        return text(who.language, say("{n} minute ago"), say("{n} minutes ago"), seconds / 60);
    return moment(t, now, who);
}

} // namespace coursegate::web_gateway
