#include "commands/grant_line.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace coursegate::ctl {
namespace {

std::optional<base::time_point> time_in(const nlohmann::json& data, const char* name)
{
    const auto found = data.find(name);
    if (found == data.end() || !found->is_string())
        return std::nullopt;
    const auto parsed = base::parse_iso8601(found->get<std::string>());
    return parsed.has_value() ? std::optional(*parsed) : std::nullopt;
}

std::string leg(const std::optional<base::time_point>& from, const std::optional<base::time_point>& to)
{
    if (!from || !to)
        return "–";
    return fmt::format("{:.0f} ms", std::chrono::duration<double, std::milli>(*to - *from).count());
}

} // namespace

std::string grant_line(
    const nlohmann::json& issued, const names& known, const std::optional<base::time_point>& passed_at)
{
    const auto user = issued.value("user_id", std::string{});
    const auto lesson = issued.value("lesson_id", std::int64_t{0});
    const auto student = known.students.find(user);
    const auto title = known.lessons.find(lesson);
    const auto seen = time_in(issued, "seen_at");
    const auto asked = time_in(issued, "asked_at");
    const auto confirmed = time_in(issued, "confirmed_at");
    const auto passed = passed_at ? passed_at : time_in(issued, "passed_before");
    return fmt::format("{:<22} {:<34} passed →({}{}) seen →({}) asked →({}) confirmed   {} in all",
        student == known.students.end() ? user : student->second,
        title == known.lessons.end() ? std::to_string(lesson) : title->second, passed_at ? "" : "at most ",
        leg(passed, seen), leg(seen, asked), leg(asked, confirmed), leg(passed, confirmed));
}

} // namespace coursegate::ctl
