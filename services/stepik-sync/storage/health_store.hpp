// The health of each course's connection: facts as the calls brought them, and what they mean, judged again
// whenever a fact or the time changes. learning.v_course_health shows it to the other slices.
#pragma once

#include "coursegate/db/pool.hpp"
#include "domain/course_health.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace coursegate::stepik_sync {

struct course_verdict
{
    std::int64_t course_id = 0;
    std::vector<problem> problems;
    std::vector<std::string> before; // names of the problems that were stored
    bool changed = false;            // this call stored another answer: whoever sees it logs it
};

// Safe on any number of instances: they come to the same answer, and one of them stores a change.
class health_store
{
public:
    health_store(db::pool& pool, std::chrono::seconds sweep_every);

    // Stores what an exchange said and judges the course again, in one transaction. Doubled notes do no harm
    // beyond a failure counted twice; a lost one (crash) is made up for by the next call.
    async::task<course_verdict> note(std::int64_t course_id, health_note n);

    // Judges every course again: time passes, sweeps end.
    async::task<std::vector<course_verdict>> judge_all();

private:
    db::pool& pool_;
    std::chrono::seconds sweep_every_; // for courses that do not say
};

} // namespace coursegate::stepik_sync
