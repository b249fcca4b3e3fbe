// W3C trace context: one trace id for everything that follows from one cause, across daemons.
#pragma once

#include <string>
#include <string_view>

namespace coursegate::base {

std::string new_traceparent(); // 00-<32 hex digits>-<16 hex digits>-01, a trace of its own

// The 32 hex digits of a well-formed version 00 traceparent; empty for anything else.
std::string trace_id_of(std::string_view traceparent);

} // namespace coursegate::base
