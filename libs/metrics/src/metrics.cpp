#include "coursegate/metrics/metrics.hpp"

#include "process.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <memory>
#include <mutex>
#include <utility>

namespace coursegate::metrics {

namespace {

class prometheus_counter final : public counter
{
public:
    explicit prometheus_counter(prometheus::Counter& c) : counter_(c) {}
    void increment(double by) override { counter_.Increment(by); }
    double value() const override { return counter_.Value(); }

private:
    prometheus::Counter& counter_;
};

class prometheus_gauge final : public gauge
{
public:
    explicit prometheus_gauge(prometheus::Gauge& g) : gauge_(g) {}
    void set(double v) override { gauge_.Set(v); }
    void add(double v) override { gauge_.Increment(v); }
    double value() const override { return gauge_.Value(); }

private:
    prometheus::Gauge& gauge_;
};

class prometheus_histogram final : public histogram
{
public:
    explicit prometheus_histogram(prometheus::Histogram& h) : histogram_(h) {}
    void observe(double v) override { histogram_.Observe(v); }

private:
    prometheus::Histogram& histogram_;
};

using key = std::pair<std::string, labels>;

struct state
{
    prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
    std::mutex lock;
    std::map<key, std::unique_ptr<counter>> counters;
    std::map<key, std::unique_ptr<gauge>> gauges;
    std::map<key, std::unique_ptr<histogram>> histograms;
};

state& current()
{
    static auto* const instance =
        new state; // never destroyed: references to metrics live as long as the process
    return *instance;
}

const std::vector<double>& seconds_buckets()
{
    static const std::vector<double> buckets{
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
    return buckets;
}

} // namespace

counter& get_counter(const std::string& name, const std::string& help, const labels& l)
{
    auto& s = current();
    const std::lock_guard lock{s.lock};
    auto& slot = s.counters[{name, l}];
    if (!slot)
        slot = std::make_unique<prometheus_counter>(
            prometheus::BuildCounter().Name(name).Help(help).Register(s.registry).Add(l));
    return *slot;
}

gauge& get_gauge(const std::string& name, const std::string& help, const labels& l)
{
    auto& s = current();
    const std::lock_guard lock{s.lock};
    auto& slot = s.gauges[{name, l}];
    if (!slot)
        slot = std::make_unique<prometheus_gauge>(
            prometheus::BuildGauge().Name(name).Help(help).Register(s.registry).Add(l));
    return *slot;
}

histogram& get_histogram(
    const std::string& name, const std::string& help, const labels& l, const std::vector<double>& buckets)
{
    auto& s = current();
    const std::lock_guard lock{s.lock};
    auto& slot = s.histograms[{name, l}];
    if (!slot)
        slot = std::make_unique<prometheus_histogram>(
            prometheus::BuildHistogram()
                .Name(name)
                .Help(help)
                .Register(s.registry)
                .Add(l, buckets.empty() ? seconds_buckets() : buckets));
    return *slot;
}

std::string expose()
{
    auto families = current().registry.Collect();
    auto process = process_metrics();
    families.insert(
        families.end(), std::make_move_iterator(process.begin()), std::make_move_iterator(process.end()));
    return prometheus::TextSerializer{}.Serialize(families);
}

} // namespace coursegate::metrics
