// Where every call to one of the played services passes: latency, the faults asked for, counters. The
// handlers behind it only answer.
#pragma once

#include "coursegate/async/component.hpp"
#include "coursegate/http/server.hpp"
#include "domain/world.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace coursegate::sandbox {

// What a handler says about the answer it gives.
struct answering
{
    std::string detail;          // for "recent calls"; never a key or a code
    bool failed = false;         // Boomstream: Status Failed
    gradebook* grades = nullptr; // whose passes `served` are
    std::vector<std::size_t> served;
};

// Lives on one executor. stop() ends all waiting calls, which then close their connection without an answer.
class stage final : public async::component
{
public:
    explicit stage(world& w);
    ~stage() override;

    std::string_view name() const override { return "stage"; }
    async::task<void> start() override;
    async::task<void> stop() override;
    async::health check() const override { return {}; }

    using answer = std::function<http::response(answering&)>;

    // The effect of a call happens in `a`, in one go: a fault is either wholly before or wholly after it.
    async::task<http::response> play(target t, http::request& r, answer a);

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

// Compresses with zlib level 1 where the caller takes gzip and the knob is on.
void compress(http::response& r, const http::request& to, bool enabled);

} // namespace coursegate::sandbox
