// Where the daemon's work stands in the order of starting and stopping.
//
//   stepik_calls   started before the consumer, so stopped after it: by then no handler needs the budget any
//   more work_brake     started after the consumer, so stopped first: handlers that wait for the budget let
//   go at once, and
//                  their messages go back to the queue; the lease is given back, so that the next leader need
//                  not wait
#pragma once

#include "coursegate/async/component.hpp"
#include "storage/api_budget.hpp"
#include "storage/sweep_store.hpp"

namespace coursegate::stepik_sync {

class stepik_calls final : public async::component
{
public:
    explicit stepik_calls(api_budget& budget) : budget_(budget) {}

    std::string_view name() const override { return "stepik-budget"; }
    async::task<void> start() override;
    async::task<void> stop() override;
    async::health check() const override { return {}; }

private:
    api_budget& budget_;
};

class work_brake final : public async::component
{
public:
    work_brake(api_budget& budget, sweep_store& sweeps) : budget_(budget), sweeps_(sweeps) {}

    std::string_view name() const override { return "stepik-work"; }
    async::task<void> start() override;
    async::task<void> stop() override;
    async::health check() const override { return {}; }

private:
    api_budget& budget_;
    sweep_store& sweeps_;
    bool is_started_ = false;
};

} // namespace coursegate::stepik_sync
