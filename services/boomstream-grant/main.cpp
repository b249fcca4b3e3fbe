// boomstream-grant: opens videos on Boomstream. Wiring only.

#include "config.hpp"
#include "coursegate/amqp/consumer.hpp"
#include "coursegate/amqp/publisher.hpp"
#include "coursegate/outbox/relay.hpp"
#include "coursegate/runtime/daemon.hpp"
#include "coursegate/slices/slices.hpp"
#include "handlers/on_events.hpp"

using namespace coursegate;
using namespace coursegate::boomstream_grant;

int main(int argc, char** argv)
try {
    runtime::handle_arguments(argc, argv, "boomstream-grant",
        "Opens each lesson's videos on Boomstream when the lesson is passed on Stepik.",
        [](runtime::environment& env) { read_config(env); });
    runtime::environment env;
    auto cfg = read_config(env);
    env.finish();

    const base::keyring keys{cfg.secret_key};
    runtime::daemon daemon{cfg.runtime};
    const auto& slice = slices::find("boomstream-grant");
    const auto topology = slices::topology_of(slice);
    cfg.postgres.search_path = slice.search_path();

    db::pool database{daemon.executor(), cfg.postgres};
    amqp::publisher publisher{daemon.executor(), cfg.rabbitmq, topology};
    outbox::relay_settings relaying;
    relaying.claimed_by = cfg.runtime.instance;
    outbox::relay relay{daemon.executor(), database, publisher, relaying};

    http::client web{daemon.executor(), cfg.web};
    boomstream_client boomstream{web, cfg.boomstream};
    workers grants{daemon.executor(), database, keys, boomstream, cfg.workers};

    events::subscriptions subscriptions;
    subscribe(subscriptions, daemon.executor(), database);
    amqp::consumer consumer{daemon.executor(), cfg.rabbitmq, topology, subscriptions, publisher};

    using namespace std::chrono_literals;
    daemon.every(15s, "name_unfinished", [&] { return grants.name_unfinished(); });
    daemon.every(60s, "name_stale", [&] { return grants.name_stale(); });
    daemon.every(15s, "report", [&] { return grants.report(); });
    daemon.every(10min, "order_daily_audits", [&] { return grants.order_daily_audits(); });

    daemon.start_in_order({database, publisher, relay, grants, consumer});
    return daemon.run();
}
catch (const std::exception& e) {
    return runtime::report_fatal(e);
}
