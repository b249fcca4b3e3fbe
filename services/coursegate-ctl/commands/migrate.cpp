// migrate: schemas, tables, roles, broker topology. One run brings any earlier state up to date; a crash
// anywhere leaves whole migrations applied, and the next run goes on.
#include "commands/command.hpp"

#include "clients/urls.hpp"

#include "coursegate/amqp/inspect.hpp"
#include "coursegate/amqp/topology.hpp"
#include "coursegate/db/migrations.hpp"
#include "coursegate/db/pool.hpp"
#include "coursegate/runtime/settings.hpp"
#include "coursegate/slices/slices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace coursegate::ctl {
namespace {

// A quorum queue killed with its broker within about a second of its declaration loses confirmed messages.
constexpr auto peace_after_declaration = std::chrono::seconds(3);

bool is_declared(const amqp::settings& broker, const amqp::topology& topology)
{
    amqp::inspector inspector{broker};
    return std::all_of(topology.queues.begin(), topology.queues.end(),
        [&](const amqp::queue& q) { return inspector.depth(broker.prefix + "." + q.name).has_value(); });
}

} // namespace

int run_migrate(runtime::environment& env, const std::vector<std::string>& words)
{
    const arguments args{words, {}, {}};
    if (!args.positional().empty())
        throw usage_error("takes no arguments");
    db::settings owner;
    owner.url = env.secret("MIGRATE_DATABASE_URL", "owner of the database");
    owner.application_name = "coursegate-ctl";
    owner.statement_timeout = std::chrono::minutes(10);
    const auto broker = runtime::read_broker(env, "coursegate-ctl");
    std::vector<slices::role_setting> roles;
    for (const auto& slice : slices::all()) {
        const auto variable = "DATABASE_URL_" + slice.url_variable();
        const auto url = env.secret(variable, "login role of " + slice.service, false);
        if (url.empty())
            continue;
        const auto login = parse_login(url);
        if (!login.has_value())
            env.fault(variable + ": " + login.error().detail);
        else
            roles.push_back({slice.service, login->user, login->password.expose()});
    }
    env.finish();

    db::session session{owner};
    int fresh = 0;
    for (const auto& one : db::migrate(session, slices::migrations())) {
        if (one.was_there)
            continue;
        ++fresh;
        fmt::print("applied {}/{}\n", one.schema, one.name);
    }
    fmt::print("database: {} migration{} applied\n", fresh, fresh == 1 ? "" : "s");

    slices::apply_roles(session, roles);
    fmt::print("roles: {} set up\n", roles.size());

    const auto topology = slices::whole_topology();
    const bool was_there = is_declared(broker, topology);
    amqp::declare(broker, topology);
    if (!was_there)
        std::this_thread::sleep_for(peace_after_declaration);
    fmt::print("broker: {} queues {}\n", topology.queues.size(), was_there ? "were there" : "declared");
    return 0;
}

} // namespace coursegate::ctl
