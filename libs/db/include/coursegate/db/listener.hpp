// LISTEN: a wake-up hint from other processes' NOTIFY. Own connection, own thread; reconnects for ever and
// calls back once after each reconnect (notifications may have been missed). A server that says nothing for a
// while is asked, and left when it doesn't answer within 5 s. A slow poll stays the truth behind it.
#pragma once

#include "coursegate/async/component.hpp"
#include "coursegate/db/pool.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace coursegate::db {

class listener final : public async::component
{
public:
    listener(
        async::executor ex, settings s, std::chrono::milliseconds ask_after_quiet = std::chrono::seconds(30));
    ~listener() override;

    // Before start(). `wake` is posted to the executor; calls for one channel may be merged.
    void on(std::string channel, std::function<void()> wake);

    std::string_view name() const override { return "postgresql-listen"; }
    async::task<void> start() override;
    async::task<void> stop() override;
    async::health check() const override;

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

} // namespace coursegate::db
