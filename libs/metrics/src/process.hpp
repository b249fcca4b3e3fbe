// What Linux knows about this process, under the names that Prometheus client libraries agree on.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace coursegate::metrics {

// Read from /proc/self at each call. What can't be read is left out.
std::vector<prometheus::MetricFamily> process_metrics();

} // namespace coursegate::metrics
