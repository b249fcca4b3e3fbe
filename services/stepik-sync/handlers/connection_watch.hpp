// Tells everybody how the connection to each course is: what the calls said goes to the health store, what
// changed goes to the log, and how things stand goes to the metrics. A course whose connection is broken
// never makes the daemon unready: its author has to act, not whoever runs the daemon.
#pragma once

#include "clients/stepik_client.hpp"
#include "clients/stepik_error.hpp"
#include "coursegate/base/keyring.hpp"
#include "storage/course_row.hpp"
#include "storage/health_store.hpp"

#include <set>
#include <utility>

namespace coursegate::stepik_sync {

// The author's application out of the catalogue's row. stepik_errc::unreadable_key.
base::result<application> unseal(const base::keyring& keys, const course_row& course);

class connection_watch
{
public:
    explicit connection_watch(health_store& store);

    async::task<void> worked(std::int64_t course_id);
    async::task<void> failed(std::int64_t course_id, base::error e);
    async::task<void> saw(std::int64_t course_id, const course_answer& course);
    async::task<void> judge(
        std::int64_t course_id); // something else changed: a sweep ended, the structure is new

    async::task<void> judge_all(); // timer

private:
    void tell(const course_verdict& v);
    void show(const course_verdict& v);

    health_store& store_;
    std::set<std::pair<std::int64_t, std::string>> shown_; // gauges that stand at 1
};

} // namespace coursegate::stepik_sync
