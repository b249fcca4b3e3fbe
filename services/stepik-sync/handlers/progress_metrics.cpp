#include "handlers/progress_metrics.hpp"

#include "coursegate/metrics/metrics.hpp"

namespace coursegate::stepik_sync {

namespace {

void count_kind(const char* kind, int n)
{
    if (n > 0)
        metrics::get_counter(
            "coursegate_stepik_rows_total", "Rows of grade books by what they said", {{"kind", kind}})
            .increment(n);
}

} // namespace

void count_rows(
    const rows_saved& saved, int malformed, const char* source, std::chrono::duration<double> since_last_byte)
{
    count_kind("read", saved.read);
    count_kind("appeared", saved.appeared);
    count_kind("changed", saved.changed);
    count_kind("teacher", saved.teachers);
    count_kind("skipped", saved.skipped + malformed);
    if (!saved.passes.empty())
        metrics::get_counter("coursegate_stepik_passes_total", "Passed lessons found", {{"source", source}})
            .increment(static_cast<double>(saved.passes.size()));
    static auto& saving = metrics::get_histogram("coursegate_stepik_saved_seconds",
        "From the last byte of a grades answer to the commit of what it says");
    saving.observe(since_last_byte);
}

void count_page(const char* outcome)
{
    metrics::get_counter("coursegate_stepik_pages_total", "Pages of grade books", {{"outcome", outcome}})
        .increment();
}

void count_sweep(const char* outcome, std::chrono::duration<double> took)
{
    static auto& seconds = metrics::get_histogram("coursegate_stepik_sweep_seconds",
        "Whole sweeps of a course", {}, {0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600});
    metrics::get_counter("coursegate_stepik_sweeps_total", "Sweeps by how they ended", {{"outcome", outcome}})
        .increment();
    seconds.observe(took);
}

} // namespace coursegate::stepik_sync
