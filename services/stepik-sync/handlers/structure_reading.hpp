// Reads a whole course from Stepik: course → sections → units → lessons → steps, ids in batches. Objects that
// Stepik can't give are named in the reading, not fatal.
#pragma once

#include "clients/stepik_client.hpp"
#include "storage/structure_store.hpp"

namespace coursegate::stepik_sync {

// Errors: those of stepik_client.
async::task<base::result<structure_facts>> read_structure(
    stepik_client& stepik, const application& app, const course_answer& course);

} // namespace coursegate::stepik_sync
