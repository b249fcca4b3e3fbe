// One request over one connection, and its answer.
#pragma once

#include "answer.hpp"
#include "transport.hpp"
#include "url.hpp"

#include "coursegate/async/task.hpp"
#include "coursegate/http/client.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace coursegate::http {

struct roundtrip
{
    std::optional<errc> failure; // empty: the answer is whole
    std::string detail;          // what failed
    bool went_out = false;       // at least one byte of the request
    bool came_back = false;      // at least one byte of an answer
    bool overdue = false;        // the deadline ended it
    bool can_be_kept = false;    // the connection is good for another request
    std::chrono::steady_clock::time_point last_byte_at{};
};

struct timing
{
    std::chrono::steady_clock::time_point deadline;
    std::optional<std::chrono::milliseconds>
        silence; // streams: the deadline moves on with every piece that comes
};

async::task<roundtrip> exchange(const async::executor& ex, std::shared_ptr<transport> connection,
    const url& where, const client_request& request, const std::string& user_agent, bool allow_gzip,
    timing limits, answer& into);

} // namespace coursegate::http
