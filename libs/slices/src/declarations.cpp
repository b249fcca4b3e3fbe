#include "embedded.hpp"

#include "coursegate/slices/slices.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <stdexcept>

namespace coursegate::slices {

namespace {

constexpr std::string_view builtin_folder = "libs/slices/migrations/";

[[noreturn]] void wrong(const std::string& where, const std::string& what)
{
    throw std::logic_error(where + ": " + what);
}

void require_form(const std::string& where, const char* member, const std::string& text, const char* pattern)
{
    if (!std::regex_match(text, std::regex(pattern)))
        wrong(where, fmt::format("{} '{}' does not have the form {}", member, text, pattern));
}

constexpr auto schema_form = "[a-z][a-z0-9_]*";
constexpr auto view_form = "[a-z][a-z0-9_]*\\.v_[a-z0-9_]+";
constexpr auto key_form = "[a-z][a-z0-9_]*\\.v[1-9][0-9]*";
constexpr auto file_form = "[0-9]{4}_[a-z0-9_]+\\.sql";

std::vector<std::string> strings(
    const std::string& where, const nlohmann::json& object, const char* member, const char* pattern)
{
    std::vector<std::string> out;
    if (const auto found = object.find(member); found != object.end())
        out = found->get<std::vector<std::string>>();
    for (const auto& one : out)
        require_form(where, member, one, pattern);
    return out;
}

// A member nobody reads is a misspelt one.
void only(const std::string& where, const nlohmann::json& object, const std::set<std::string>& known)
{
    for (const auto& [name, unused] : object.items())
        if (!known.contains(name))
            wrong(where, "unknown member '" + name + "'");
}

slice read(const std::string& where, const std::string& folder, std::string_view text)
{
    try {
        const auto json = nlohmann::json::parse(text);
        only(where, json, {"service", "schemas", "reads", "publishes", "queues", "redrives"});
        slice out;
        out.service = json.at("service").get<std::string>();
        if (out.service != folder)
            wrong(where, fmt::format("service '{}' lives in a folder of another name", out.service));
        out.schemas = strings(where, json, "schemas", schema_form);
        if (out.schemas.empty())
            wrong(where, "a slice owns at least one schema");
        out.reads = strings(where, json, "reads", view_form);
        out.publishes = strings(where, json, "publishes", key_form);
        out.redrives = json.value("redrives", false);
        for (const auto& q : json.value("queues", nlohmann::json::array())) {
            only(where, q, {"name", "bindings", "prefetch", "max_attempts"});
            amqp::queue queue;
            queue.name = q.at("name").get<std::string>();
            if (!queue.name.starts_with(out.service + "."))
                wrong(where, fmt::format("queue '{}' does not begin with '{}.'", queue.name, out.service));
            queue.bindings = strings(where, q, "bindings", key_form);
            queue.prefetch = q.value("prefetch", queue.prefetch);
            queue.max_attempts = q.value("max_attempts", queue.max_attempts);
            if (queue.prefetch < 1 || queue.max_attempts < 1)
                wrong(where, fmt::format("queue '{}': prefetch and max_attempts are at least 1", queue.name));
            out.queues.push_back(std::move(queue));
        }
        return out;
    }
    catch (const nlohmann::json::exception& e) {
        wrong(where, e.what());
    }
}

// "services/<service>/migrations/<schema>/<file>" as its last three names; nothing for other files.
struct migration_path
{
    std::string service, schema, file;
};

std::optional<migration_path> split(std::string_view path)
{
    static const std::regex form("services/([^/]+)/migrations/([^/]+)/([^/]+)");
    std::match_results<std::string_view::const_iterator> m;
    if (!std::regex_match(path.begin(), path.end(), m, form))
        return std::nullopt;
    return migration_path{m.str(1), m.str(2), m.str(3)};
}

void add_migrations(slice& s)
{
    for (const auto& schema : s.schemas) {
        if (schema == s.schemas.front())
            for (const auto& f : embedded_files())
                if (f.path.starts_with(builtin_folder))
                    s.migrations.push_back(
                        {schema, std::string(f.path.substr(builtin_folder.size())), std::string(f.content)});

        std::set<std::string> numbers;
        for (const auto& f : embedded_files()) // sorted by path, so by number
        {
            const auto at = split(f.path);
            if (!at || at->service != s.service || at->schema != schema)
                continue;
            const std::string where(f.path);
            require_form(where, "file name", at->file, file_form);
            const auto number = at->file.substr(0, 4);
            if (number == "0000")
                wrong(where, "0000 is the built-in migration");
            if (!numbers.insert(number).second)
                wrong(where, "another migration has the same number");
            s.migrations.push_back({schema, at->file, std::string(f.content)});
        }
    }
    for (const auto& f : embedded_files())
        if (const auto at = split(f.path);
            at && at->service == s.service &&
            std::find(s.schemas.begin(), s.schemas.end(), at->schema) == s.schemas.end())
            wrong(std::string(f.path), "the service does not declare this schema");
}

std::vector<slice> read_all()
{
    std::vector<slice> out;
    std::map<std::string, std::string> owners;
    for (const auto& f : embedded_files()) {
        static const std::regex form("services/([^/]+)/slice\\.json");
        std::match_results<std::string_view::const_iterator> m;
        if (!std::regex_match(f.path.begin(), f.path.end(), m, form))
            continue;
        const std::string where(f.path);
        auto one = read(where, m.str(1), f.content);
        for (const auto& schema : one.schemas)
            if (const auto [known, fresh] = owners.emplace(schema, one.service); !fresh)
                wrong(where, fmt::format("schema '{}' already belongs to {}", schema, known->second));
        add_migrations(one);
        out.push_back(std::move(one));
    }
    for (const auto& one : out)
        for (const auto& view : one.reads)
            if (const auto owner = owners.find(view.substr(0, view.find('.')));
                owner != owners.end() && owner->second == one.service)
                wrong("services/" + one.service + "/slice.json",
                    "'" + view + "' is its own: reads names views of others");
    return out;
}

std::string replaced(std::string text, char from, char to)
{
    std::replace(text.begin(), text.end(), from, to);
    return text;
}

} // namespace

std::string slice::role() const
{
    return "coursegate_" + replaced(service, '-', '_');
}

std::string slice::url_variable() const
{
    std::string out = replaced(service, '-', '_');
    std::transform(out.begin(), out.end(), out.begin(),
        [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return out;
}

std::string slice::search_path() const
{
    return fmt::format("{}", fmt::join(schemas, ", "));
}

const std::vector<slice>& all()
{
    static const std::vector<slice> slices = read_all();
    return slices;
}

const slice& find(const std::string& service)
{
    for (const auto& one : all())
        if (one.service == service)
            return one;
    throw std::logic_error("no service '" + service + "' has a slice.json in this build");
}

amqp::topology topology_of(const slice& s)
{
    amqp::topology out;
    out.queues = s.queues;
    return out;
}

amqp::topology whole_topology()
{
    amqp::topology out;
    for (const auto& one : all())
        out.queues.insert(out.queues.end(), one.queues.begin(), one.queues.end());
    return out;
}

std::vector<db::migration> migrations()
{
    std::vector<db::migration> out;
    for (const auto& one : all())
        out.insert(out.end(), one.migrations.begin(), one.migrations.end());
    return out;
}

} // namespace coursegate::slices
