// stepik-sync: watches students' progress on Stepik and tells it. Wiring only.
#include "clients/stepik_client.hpp"
#include "config.hpp"
#include "coursegate/amqp/consumer.hpp"
#include "coursegate/outbox/relay.hpp"
#include "coursegate/runtime/daemon.hpp"
#include "coursegate/slices/slices.hpp"
#include "handlers/on_course_connected.hpp"
#include "handlers/on_structure_sync_due.hpp"
#include "handlers/on_sweep_page_due.hpp"
#include "handlers/on_sync_requested.hpp"
#include "handlers/timers.hpp"
#include "handlers/work.hpp"
#include "storage/api_budget.hpp"

int main(int argc, char** argv)
try {
    using namespace coursegate;
    using namespace coursegate::stepik_sync;

    runtime::handle_arguments(argc, argv, "stepik-sync",
        "Reads courses and students' progress from Stepik and publishes who passed what.",
        [](runtime::environment& env) { read_config(env); });
    runtime::environment env;
    config cfg = read_config(env);
    env.finish();

    const base::keyring keys{cfg.secret_key};
    runtime::daemon daemon{cfg.runtime};
    const auto& slice = slices::find("stepik-sync");
    const auto topology = slices::topology_of(slice);
    cfg.postgres.search_path = slice.search_path();

    db::pool database{daemon.executor(), cfg.postgres};
    amqp::publisher publisher{daemon.executor(), cfg.rabbitmq, topology};
    outbox::relay_settings relay_settings;
    relay_settings.claimed_by = cfg.runtime.instance;
    outbox::relay relay{daemon.executor(), database, publisher, relay_settings};

    http::client web{daemon.executor(), stepik_client::web_settings()};
    api_budget::settings budget_settings;
    budget_settings.requests_per_second = cfg.requests_per_second;
    budget_settings.concurrency = cfg.concurrency;
    budget_settings.holder = cfg.runtime.instance;
    api_budget budget{daemon.executor(), database, budget_settings};
    stepik_client::settings stepik_settings;
    stepik_settings.url = cfg.stepik_url;
    stepik_client stepik{daemon.executor(), web, budget, stepik_settings};

    health_store health{database, cfg.sweep_every};
    structure_store structure{database, cfg.sweep_every};
    sweep_store::settings sweep_settings;
    sweep_settings.instance = cfg.runtime.instance;
    sweep_settings.sweep_every = cfg.sweep_every;
    sweep_settings.requests_per_second = cfg.requests_per_second;
    sweep_store sweeps{database, sweep_settings};
    request_store requests{database, std::chrono::seconds(30)};
    connection_watch watch{health};

    events::subscriptions subscriptions;
    subscriptions.on<events::sync_requested>("stepik-sync.requests", "stepik_sync.on_sync_requested",
        on_sync_requested{stepik, requests, watch, keys});
    subscriptions.on<events::sweep_page_due>("stepik-sync.work", "stepik_sync.on_sweep_page_due",
        on_sweep_page_due{stepik, sweeps, structure, watch, keys});
    subscriptions.on<events::structure_sync_due>("stepik-sync.work", "stepik_sync.on_structure_sync_due",
        on_structure_sync_due{stepik, structure, watch, keys});
    subscriptions.on<events::course_connected>(
        "stepik-sync.work", "stepik_sync.on_course_connected", on_course_connected{structure});
    amqp::consumer consumer{daemon.executor(), cfg.rabbitmq, topology, subscriptions, publisher};

    stepik_calls calls{budget};
    work_brake brake{budget, sweeps};
    start_timers(daemon, sweeps, watch, cfg.sweep_every);

    daemon.start_in_order({database, publisher, relay, calls, consumer, brake});
    return daemon.run(); // until SIGTERM, then drains
}
catch (const std::exception& e) {
    return coursegate::runtime::report_fatal(e);
}
