// Fresh exchange and queue names per test. TEST_AMQP_URL names a private broker; without it the test exits
// with 77.
#pragma once

#include "coursegate/amqp/settings.hpp"
#include "coursegate/amqp/topology.hpp"

#include <memory>
#include <string>

namespace coursegate::testkit {

class broker
{
public:
    // Declares `t` under a new prefix and waits the quorum queues' seconds of peace only where `settle` asks
    // for it.
    explicit broker(const amqp::topology& t, bool settle = false);
    ~broker(); // removes the queues and exchanges
    broker(const broker&) = delete;

    amqp::settings settings() const; // prefix set, short deadlines
    const std::string& prefix() const;
    std::string url() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace coursegate::testkit
