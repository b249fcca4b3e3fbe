// web-gateway: the site, the JSON API for authors and tools, the slices `accounts` and `catalog`, and the
// event log. Wiring only.
#include "config.hpp"
#include "handlers/course_checks.hpp"
#include "handlers/environment_course.hpp"
#include "handlers/feed_reader.hpp"
#include "handlers/on_event.hpp"
#include "handlers/parked_messages.hpp"
#include "handlers/purge.hpp"
#include "handlers/site.hpp"
#include "handlers/ways.hpp"
#include "pages/pages.hpp"
#include "routes.hpp"

#include "coursegate/amqp/consumer.hpp"
#include "coursegate/amqp/publisher.hpp"
#include "coursegate/db/listener.hpp"
#include "coursegate/http/client.hpp"
#include "coursegate/outbox/relay.hpp"
#include "coursegate/runtime/daemon.hpp"
#include "coursegate/slices/slices.hpp"

int main(int argc, char** argv)
try {
    using namespace coursegate;
    using namespace coursegate::web_gateway;

    runtime::handle_arguments(argc, argv, "web-gateway",
        "the JSON API of Coursegate, users, courses and the event log",
        [](runtime::environment& env) { read_config(env); });
    runtime::environment env;
    auto cfg = read_config(env);
    env.finish(); // names every bad setting at once
    const auto& slice = slices::find("web-gateway");
    const auto topology = slices::topology_of(slice);
    cfg.database.search_path = slice.search_path();

    runtime::daemon daemon{cfg.runtime};
    const pages site;
    const base::keyring keys{cfg.secret_key};

    db::pool db{daemon.executor(), cfg.database};
    db::listener listener{daemon.executor(), cfg.database};
    amqp::publisher publisher{daemon.executor(), cfg.broker, topology};
    outbox::relay_settings sending;
    sending.claimed_by = cfg.runtime.instance;
    outbox::relay relay{daemon.executor(), db, publisher, sending};

    feed_reader feed{daemon.executor(), db};
    listener.on(std::string(feed_channel), [&feed] { feed.wake(); });
    on_event append_to_log{db};
    events::subscriptions subscriptions;
    subscriptions.on_any("web-gateway.feed", "web_gateway.on_event",
        [&](events::message_context& context) { return append_to_log.handle(context); });
    amqp::consumer consumer{daemon.executor(), cfg.broker, topology, subscriptions, publisher};

    environment_course from_environment{db, keys, cfg.environment_course};
    http::client web{daemon.executor()};
    sign_in_ways ways{web, cfg.ways};
    async::workers looks{{"broker-looks", 1, 8}};
    parked_messages parked{cfg.broker, looks};
    course_checks checks{web, cfg.stepik_url, cfg.boomstream_url};
    gateway g{
        db, keys, feed, site, cfg.admin_token, cfg.environment_course, cfg.play_url, &ways, &parked, &checks};
    http::server_settings listening;
    listening.host = cfg.host;
    listening.port = cfg.port;
    listening.metrics_name = "api";
    listening.trusted_proxies = cfg.trusted_proxies;
    listening.word_refusal = [&site](const http::request& request, http::response& answer) {
        word_refusal(site, request, answer);
    };
    http::server server{daemon.executor(), listening, routes(g)};

    daemon.every(std::chrono::hours(1), "purge", [&db] { return purge(db); });
    daemon.start_in_order({db, from_environment, publisher, relay, listener, feed, consumer, looks, server});
    return daemon.run();
}
catch (const std::exception& e) {
    return coursegate::runtime::report_fatal(e);
}
