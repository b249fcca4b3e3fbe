#include "conninfo.hpp"

#include "coursegate/db/url.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <map>

namespace coursegate::db {

namespace {

// A value inside `options=`: libpq's server splits it at spaces, a backslash protects one.
std::string escape_option(const std::string& value)
{
    std::string out;
    for (const char c : value) {
        if (c == ' ' || c == '\\')
            out += '\\';
        out += c;
    }
    return out;
}

std::string quote(const std::string& value)
{
    std::string out = "'";
    for (const char c : value) {
        if (c == '\'' || c == '\\')
            out += '\\';
        out += c;
    }
    return out + "'";
}

// The option that libpq does not know, when it can be shown: what stands behind the last @ is no password.
std::string unknown_option(const std::string& url, std::string_view complaint)
{
    constexpr std::string_view opening = "invalid URI query parameter: \"";
    const auto at = complaint.find(opening);
    if (at == std::string_view::npos ||
        url.find('@', std::min(url.find('?'), url.size())) != std::string::npos)
        return {};
    const auto name = complaint.substr(at + opening.size());
    return std::string(name.substr(0, name.find('"')));
}

} // namespace

std::string fault_of_url(const base::secret& url)
{
    const auto& text = url.expose();
    if (!text.starts_with("postgresql://") && !text.starts_with("postgres://"))
        return "DATABASE_URL must begin with postgresql://";
    char* complaint = nullptr;
    PQconninfoOption* const parsed = PQconninfoParse(text.c_str(), &complaint);
    const std::string why = complaint == nullptr ? "" : complaint;
    PQfreemem(complaint);
    if (parsed != nullptr) {
        PQconninfoFree(parsed);
        return {};
    }
    if (const auto option = unknown_option(text, why); !option.empty())
        return "DATABASE_URL has an option that libpq does not know: " + option;
    return "DATABASE_URL is not a PostgreSQL connection string "
           "(postgresql://role:password@host[:port]/database)";
}

std::string connection_string(const settings& s)
{
    std::map<std::string, std::string> values;
    if (PQconninfoOption* parsed = PQconninfoParse(s.url.expose().c_str(), nullptr)) {
        for (const PQconninfoOption* o = parsed; o->keyword != nullptr; ++o)
            if (o->val != nullptr)
                values[o->keyword] = o->val;
        PQconninfoFree(parsed);
    }
    if (values.empty())
        throw base::bad_configuration("DATABASE_URL is not a PostgreSQL connection string "
                                      "(postgresql://role:password@host[:port]/database)");

    const auto unless_given = [&](const char* name, const char* value) { values.emplace(name, value); };
    unless_given("connect_timeout", "5");
    // A host that vanished is noticed within a minute, also while only waiting for an answer.
    unless_given("keepalives_idle", "30");
    unless_given("keepalives_interval", "10");
    unless_given("keepalives_count", "3");
    unless_given("tcp_user_timeout", "30000");
    values["client_encoding"] = "UTF8";
    if (!s.application_name.empty())
        values["application_name"] = s.application_name;

    // Later options win over those of the URL. The formats are those that get<T> reads; client_min_messages
    // keeps notices from being sent at all, since libpqxx would drop them.
    std::string& options = values["options"];
    options += fmt::format(
        " -c statement_timeout={0} -c idle_in_transaction_session_timeout={0}", s.statement_timeout.count());
    options += " -c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres -c bytea_output=hex -c "
               "client_min_messages=error";
    if (!s.search_path.empty())
        options += " -c search_path=" + escape_option(s.search_path);

    std::string out;
    for (const auto& [name, value] : values)
        out += fmt::format("{}{}={}", out.empty() ? "" : " ", name, quote(value));
    return out;
}

} // namespace coursegate::db
