// Counters, gauges and histograms, shown as Prometheus text on the admin port (prometheus-cpp underneath).
//
// Names are written down once, in the file that counts: metrics::counter& sent = metrics::get_counter(
// "coursegate_outbox_sent_total", "Events confirmed by the broker", {{"service", …}}). Getting the same name
// with the same labels twice gives the same object; objects live as long as the process. Everything is thread
// safe. Labels must have few values: never ids of students.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace coursegate::metrics {

using labels = std::map<std::string, std::string>;

class counter
{
public:
    virtual ~counter() = default;
    virtual void increment(double by = 1) = 0;
    virtual double value() const = 0;
};

class gauge
{
public:
    virtual ~gauge() = default;
    virtual void set(double v) = 0;
    virtual void add(double v) = 0;
    virtual double value() const = 0;
};

class histogram
{
public:
    virtual ~histogram() = default;
    virtual void observe(double v) = 0;
    void observe(std::chrono::duration<double> d) { observe(d.count()); } // seconds
};

counter& get_counter(const std::string& name, const std::string& help, const labels& l = {});
gauge& get_gauge(const std::string& name, const std::string& help, const labels& l = {});
// Buckets are upper bounds; the default fits seconds from 0.5 ms to 60 s.
histogram& get_histogram(const std::string& name, const std::string& help, const labels& l = {},
    const std::vector<double>& buckets = {});

// The whole exposition, process metrics (CPU, RSS, file descriptors, start time, threads) included.
std::string expose();

// Observes the time from construction to destruction.
class stopwatch
{
public:
    explicit stopwatch(histogram& h) : histogram_(h) {}
    ~stopwatch() { histogram_.observe(std::chrono::steady_clock::now() - start_); }
    stopwatch(const stopwatch&) = delete;

private:
    histogram& histogram_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

} // namespace coursegate::metrics
