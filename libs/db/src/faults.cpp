#include "faults.hpp"

#include <vector>

namespace coursegate::db {

namespace {

// The value of a line such as `CONSTRAINT NAME:  users_email_key` (libpq's verbose form).
std::string line_value(std::string_view message, std::string_view label)
{
    std::size_t at = 0;
    while (at < message.size()) {
        const auto end = std::min(message.find('\n', at), message.size());
        std::string_view line = message.substr(at, end - at);
        if (line.starts_with(label)) {
            line.remove_prefix(label.size());
            while (!line.empty() && line.front() == ' ')
                line.remove_prefix(1);
            return std::string(line);
        }
        at = end + 1;
    }
    return {};
}

// "constraint "x"" in English, or what stands in the quotation marks of another language.
std::string quoted_name(std::string_view line)
{
    static constexpr std::string_view english = "constraint \"";
    if (const auto at = line.find(english); at != std::string_view::npos) {
        const auto begin = at + english.size();
        return std::string(line.substr(begin, line.find('"', begin) - begin));
    }

    static constexpr std::pair<std::string_view, std::string_view> marks[] = {
        {"\"", "\""}, {"«", "»"}, {"»", "«"}, {"„", "“"}, {"“", "”"}, {"「", "」"}};
    for (const auto& [open, close] : marks) {
        std::vector<std::string_view> names;
        for (std::size_t at = line.find(open); at != std::string_view::npos; at = line.find(open, at)) {
            at += open.size();
            const auto end = line.find(close, at);
            if (end == std::string_view::npos)
                break;
            names.push_back(line.substr(at, end - at));
            at = end + close.size();
        }
        // A foreign key seen from the other table names that table, the constraint, and the own table.
        if (names.size() >= 3)
            return std::string(names[1]);
        if (!names.empty())
            return std::string(names.back());
    }
    return {};
}

} // namespace

std::string first_line(std::string_view message)
{
    return std::string(message.substr(0, message.find('\n')));
}

std::string constraint_in(std::string_view message)
{
    if (auto name = line_value(message, "CONSTRAINT NAME:"); !name.empty())
        return name;
    if (auto column = line_value(message, "COLUMN NAME:"); !column.empty())
        return line_value(message, "TABLE NAME:") + "_" + column + "_not_null";
    return quoted_name(first_line(message));
}

constraint_violation as_constraint_violation(const pqxx::sql_error& e)
{
    return constraint_violation(first_line(e.what()), constraint_in(e.what()));
}

bool passes(const std::string& sqlstate)
{
    return sqlstate.starts_with("53")      // too many connections, disk full, out of memory
           || sqlstate.starts_with("57P0") // shutting down, crashed, starting, idle session ended
           || sqlstate.starts_with("08")   // connection exception reported by the server
           || sqlstate == "25006";         // read-only: an address that still leads to the standby
}

bool ends_session(const std::string& sqlstate)
{
    return sqlstate.starts_with("57P0") || sqlstate.starts_with("08") || sqlstate == "40003";
}

} // namespace coursegate::db
