#include "coursegate/testkit/broker.hpp"

#include "coursegate/base/encoding.hpp"
#include "servers.hpp"

#include <cstdio>
#include <thread>

namespace coursegate::testkit {

namespace {

// A quorum queue killed within about a second of its declaration loses confirmed messages: tests that kill
// the broker wait this long first.
constexpr auto seconds_of_peace = std::chrono::seconds(3);

} // namespace

struct broker::impl
{
    std::string url;
    amqp::settings options;
    amqp::topology topology;
};

broker::broker(const amqp::topology& t, bool settle) : impl_(std::make_unique<impl>())
{
    impl_->url = need("TEST_AMQP_URL");
    impl_->topology = t;
    auto& s = impl_->options;
    s.addresses = amqp::parse_addresses(base::secret(impl_->url));
    s.prefix = "test_" + base::to_hex(base::random_bytes(6));
    s.connection_name = "testkit";
    s.confirm_deadline = std::chrono::milliseconds(5'000);
    s.connect_timeout = std::chrono::milliseconds(3'000);
    s.probe_interval = std::chrono::seconds(2);
    amqp::declare(s, t);
    if (settle)
        std::this_thread::sleep_for(seconds_of_peace);
}

broker::~broker()
{
    try {
        amqp::remove(impl_->options, impl_->topology);
    }
    catch (const std::exception& e) {
        std::fprintf(stderr, "testkit: queues with prefix %s stay behind: %s\n",
            impl_->options.prefix.c_str(), e.what());
    }
}

amqp::settings broker::settings() const
{
    return impl_->options;
}

const std::string& broker::prefix() const
{
    return impl_->options.prefix;
}

std::string broker::url() const
{
    return impl_->url;
}

} // namespace coursegate::testkit
